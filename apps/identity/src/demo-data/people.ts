import type { Locale } from '@mentorhub/contracts';
import { usernameFrom } from '../users/username.js';

/** The password of every demo account. */
export const demoPassword = 'mentorhub-demo';

export interface DemoPerson {
  /** Fixed, as the demo data of other services refers to it: 1 admin, 2–51 mentors, 52–71 mentees. */
  id: number;
  role: 'admin' | 'mentor' | 'mentee';
  fullName: string;
  username: string;
  email: string;
  timezone: string;
  locale: Locale;
  /** What the avatar is drawn from; null for some, as not everybody has one. */
  avatarSeed: string | null;
}

type Entry = readonly [fullName: string, timezone: string, locale: Locale];

/** In the order of their ids, from 2. */
const mentors: readonly Entry[] = [
  ['Анна Соколова', 'Europe/Moscow', 'ru'],
  ['Jonas Weber', 'Europe/Berlin', 'en'],
  ['Emily Carter', 'Europe/London', 'en'],
  ['Дмитрий Орлов', 'Europe/Moscow', 'ru'],
  ['Katharina Vogel', 'Europe/Berlin', 'en'],
  ['Priya Raghavan', 'Asia/Kolkata', 'en'],
  ['Мария Лебедева', 'Europe/Moscow', 'ru'],
  ['Lukas Brandt', 'Europe/Berlin', 'en'],
  ['Daniel Okafor', 'Africa/Lagos', 'en'],
  ['Алексей Морозов', 'Asia/Yekaterinburg', 'ru'],
  ['Sophie Laurent', 'Europe/Paris', 'en'],
  ['Michael Thompson', 'America/New_York', 'en'],
  ['Екатерина Белова', 'Europe/Moscow', 'ru'],
  ['Friederike Sommer', 'Europe/Vienna', 'en'],
  ['Kenji Watanabe', 'Asia/Tokyo', 'en'],
  ['Сергей Кузнецов', 'Asia/Novosibirsk', 'ru'],
  ['Matthias Krüger', 'Europe/Berlin', 'en'],
  ['Olivia Bennett', 'America/Los_Angeles', 'en'],
  ['Ольга Смирнова', 'Europe/Moscow', 'ru'],
  ['Tobias Lindner', 'Europe/Zurich', 'en'],
  ['Lucía Fernández', 'Europe/Madrid', 'en'],
  ['Иван Петров', 'Europe/Samara', 'ru'],
  ['Hannah Schäfer', 'Europe/Berlin', 'en'],
  ['James Whitfield', 'Europe/London', 'en'],
  ['Наталья Волкова', 'Europe/Moscow', 'ru'],
  ['Marek Nowak', 'Europe/Warsaw', 'en'],
  ['Grace Mwangi', 'Africa/Nairobi', 'en'],
  ['Павел Новиков', 'Europe/Moscow', 'ru'],
  ['Sebastian Böhm', 'Europe/Berlin', 'en'],
  ['Isabella Rossi', 'Europe/Rome', 'en'],
  ['Юлия Козлова', 'Asia/Almaty', 'ru'],
  ['Charlotte Hughes', 'Europe/London', 'en'],
  ['Andreas Neumann', 'Europe/Berlin', 'en'],
  ['Артём Васильев', 'Asia/Yerevan', 'ru'],
  ['Mei-Ling Chen', 'Asia/Singapore', 'en'],
  ['Benjamin Hartley', 'America/Chicago', 'en'],
  ['Татьяна Фёдорова', 'Europe/Moscow', 'ru'],
  ['Johanna Richter', 'Europe/Berlin', 'en'],
  ['Rafael Oliveira', 'America/Sao_Paulo', 'en'],
  ['Никита Зайцев', 'Asia/Tbilisi', 'ru'],
  ['Maximilian Fuchs', 'Europe/Vienna', 'en'],
  ['Amelia Foster', 'Australia/Sydney', 'en'],
  ['Светлана Егорова', 'Europe/Moscow', 'ru'],
  ['Pieter van Dijk', 'Europe/Amsterdam', 'en'],
  ['Noah Sullivan', 'America/Toronto', 'en'],
  ['Виктор Громов', 'Asia/Vladivostok', 'ru'],
  ['Claudia Hoffmann', 'Europe/Berlin', 'en'],
  ['Astrid Lindqvist', 'Europe/Stockholm', 'en'],
  ['Ксения Полякова', 'Europe/Moscow', 'ru'],
  ['Samuel Adeyemi', 'Europe/London', 'en'],
];

/** In the order of their ids, from 52. */
const mentees: readonly Entry[] = [
  ['Михаил Захаров', 'Europe/Moscow', 'ru'],
  ['Laura Becker', 'Europe/Berlin', 'en'],
  ['Oliver Grant', 'Europe/London', 'en'],
  ['Алина Макарова', 'Europe/Moscow', 'ru'],
  ['Felix Hartmann', 'Europe/Berlin', 'en'],
  ['Aisha Rahman', 'Asia/Dubai', 'en'],
  ['Кирилл Степанов', 'Asia/Omsk', 'ru'],
  ['Marie Dubois', 'Europe/Paris', 'en'],
  ['Ethan Brooks', 'America/Denver', 'en'],
  ['Дарья Никитина', 'Europe/Moscow', 'ru'],
  ['Nina Keller', 'Europe/Zurich', 'en'],
  ['Tomás Herrera', 'America/Mexico_City', 'en'],
  ['Роман Алексеев', 'Europe/Moscow', 'ru'],
  ['Paul Zimmermann', 'Europe/Berlin', 'en'],
  ['Chloe Anderson', 'America/New_York', 'en'],
  ['Полина Григорьева', 'Asia/Krasnoyarsk', 'ru'],
  ['Giulia Bianchi', 'Europe/Rome', 'en'],
  ['Leon Schubert', 'Europe/Berlin', 'en'],
  ['Егор Тихонов', 'Europe/Moscow', 'ru'],
  ['Zoe Papadaki', 'Europe/Athens', 'en'],
];

const firstMentorId = 2;

export const demoPeople: readonly DemoPerson[] = [
  person(1, 'admin', ['Demo Administrator', 'Europe/Berlin', 'en'], 'admin'),
  ...mentors.map((entry, n) => person(firstMentorId + n, 'mentor', entry)),
  ...mentees.map((entry, n) => person(firstMentorId + mentors.length + n, 'mentee', entry)),
];

function person(
  id: number,
  role: DemoPerson['role'],
  [fullName, timezone, locale]: Entry,
  username = usernameFrom(fullName),
): DemoPerson {
  const email = `${username}@demo.mentorhub.example`;
  const avatarSeed = id % 6 === 1 ? null : username.replaceAll('.', '-');
  return { id, role, fullName, username, email, timezone, locale, avatarSeed };
}
