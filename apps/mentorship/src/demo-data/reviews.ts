/** A text in English or Russian; a pair where Russian differs by its author: a man's words, a woman's words. */
export type DemoText = string | readonly [man: string, woman: string];

/** What demo mentees say, by rating; the first list is English, the second Russian. */
export const demoComments: Record<
  2 | 3 | 4 | 5,
  readonly [readonly DemoText[], readonly DemoText[]]
> = {
  5: [
    [
      'Exactly the push I needed. I left with a plan and three things to try the same evening.',
      'Explains hard things simply and never makes you feel slow.',
      'We found the bug I had been hunting for a week within twenty minutes.',
      'Honest, warm and very well prepared. Booked the next session right away.',
      'The mock interview was tougher than the real one. I got the job.',
      'Great questions, great pace, useful notes afterwards.',
    ],
    [
      'Отличная сессия, всё по делу и без воды.',
      [
        'Очень помогло с подготовкой, через неделю получил предложение.',
        'Очень помогло с подготовкой, через неделю получила предложение.',
      ],
      'Терпеливо разобрали мой код и нашли причину ошибки.',
      ['Ушёл с ясным планом на месяц. Спасибо!', 'Ушла с ясным планом на месяц. Спасибо!'],
      'Объясняет так, что сложное становится очевидным.',
    ],
  ],
  4: [
    [
      'Very helpful. The time was a little short for all my questions.',
      'Good advice and clear examples; I would have liked more practice.',
      'Solid session, we got through most of the agenda.',
    ],
    [
      'Полезно, но времени оказалось мало.',
      'Хорошие советы, хотелось бы больше практики.',
      'Разобрали почти всё, что планировали.',
    ],
  ],
  3: [
    [
      'Useful, though more general than I had hoped.',
      'Fine for a start; some answers stayed open.',
    ],
    [
      ['Неплохо, но ожидал больше конкретики.', 'Неплохо, но ожидала больше конкретики.'],
      'Для начала хорошо, но часть вопросов осталась без ответа.',
    ],
  ],
  2: [
    [
      'We talked past each other; the topic was not what I had booked.',
      'Started late and felt rushed. Some good hints all the same.',
    ],
    [
      [
        'Не совсем то, на что я рассчитывал: мало по моей теме.',
        'Не совсем то, на что я рассчитывала: мало по моей теме.',
      ],
      'Начали с опозданием и многое не успели.',
    ],
  ],
};

export const demoTopics: readonly [readonly string[], readonly string[]] = [
  [
    'Preparing for an interview',
    'Code review of my project',
    'Planning the next career step',
    'System design practice',
    'Questions about my first job',
  ],
  [
    'Подготовка к собеседованию',
    'Разбор моего проекта',
    'План развития на год',
    'Практика проектирования систем',
  ],
];

/** Why demo sessions are cancelled, in English and Russian. */
export const demoReasons: Record<'mentor' | 'mentee', readonly [string, string]> = {
  mentor: [
    'I am ill, sorry. Please book another time.',
    'К сожалению, болею. Выберите, пожалуйста, другое время.',
  ],
  mentee: ['Something came up at work.', 'Не получается в это время.'],
};
