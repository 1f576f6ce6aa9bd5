const everyService = [
  'CreateMessaging1760000000000',
  'StoreRetries1796000000101',
  'ParkEvents1796000000102',
  'DropOutboxWake1796000000103',
  'CreateEventProcesses1796000000110',
  'RememberStreamTail1796000000111',
  'BoundRelayBatches1796000030002',
];

/**
 * The migrations of the first release, by service: before it there were no processes to work on with their tables. They
 * are run without being inspected. Add none: later migrations are inspected.
 */
export const baseline: Readonly<Record<string, readonly string[]>> = {
  identity: [
    ...everyService,
    'CreateIdentity1795230000000',
    'RenameRequestedRole1796000000000',
    'RefreshSuccessorsAndKeyLead1796000000001',
    'UnverifiedAccountsAndLimits1796000000003',
  ],
  mentorship: [
    ...everyService,
    'CreateIdempotencyKeys1790000000100',
    'CreatePeople1790000000200',
    'CreateMentorship1790000020000',
    'AddEmailVerified1796000000002',
    'CreateBookingParticipants1796000020001',
    'RecordAbsentParty1796000020002',
    'RequireLetters1796000020003',
    'CreateMentorStats1796000020004',
    'LimitSessionPrices1796000020005',
  ],
  chat: [
    ...everyService,
    'CreateChat1760100000000',
    'CreatePeople1790000000200',
    'AddEmailVerified1796000000002',
    'CountUnread1796000000021',
    'NumberPresenceReports1796000000022',
    'UnpublishedReads1796000000030',
  ],
  notifications: [
    ...everyService,
    'CreateNotifications1790000010000',
    'DeferredNotifications1796000000010',
    'ChatReads1796000030001',
  ],
  payments: [
    ...everyService,
    'CreateIdempotencyKeys1790000000100',
    'CreatePayments1790000010000',
    'RenameAmountsDue1796000000000',
    'PaymentIntents1796000000010',
  ],
};
