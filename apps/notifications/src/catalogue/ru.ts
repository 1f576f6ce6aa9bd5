import type { Catalogue } from './catalogue-entries.js';

const notYou =
  'Если это были не вы, сразу смените пароль и завершите сеансы на всех устройствах в настройках учётной записи.';

/** Other ways in would stay open: what was added goes first. */
function notYouFirst(remove: string): string {
  return `Если это были не вы, сначала ${remove} в настройках, затем смените пароль и завершите сеансы на всех устройствах. Если это невозможно, напишите в поддержку.`;
}

// Without verbs in the past tense about people: their gender is not known.
export const ru: Catalogue = {
  notifications: {
    welcome: ({ name }) => ({
      title: `${name}, добро пожаловать в MentorHub!`,
      body: 'Найдите ментора, запишитесь на сессию и учитесь у тех, кто уже прошёл этот путь. Пожалуйста, подтвердите адрес почты по ссылке из письма.',
    }),
    email_verified: () => ({
      title: 'Адрес почты подтверждён',
      body: 'Спасибо! На этот адрес будут приходить письма о ваших сессиях.',
    }),
    new_sign_in: ({ browser, os, network, happened_at }, formats) => ({
      title: 'Новый вход в вашу учётную запись',
      body: `${device(browser, os)}, сеть ${network}, ${formats.dateTime(happened_at)}. Если это были не вы, завершите сеанс этого устройства в настройках и смените пароль.`,
    }),
    refresh_token_reused: ({ browser, os, network, happened_at }, formats) => ({
      title: 'Сеанс устройства завершён ради вашей безопасности',
      body: `${device(browser, os)}, последняя сеть ${network}: ${formats.dateTime(happened_at)} его данные для входа поступили второй раз, возможно, их кто-то скопировал. Войдите снова, а если заметите что-то необычное, смените пароль.`,
    }),
    provider_linked: ({ provider_name }) => ({
      title: `Теперь можно входить через ${provider_name}`,
      body: `К вашей учётной записи привязан вход через ${provider_name}. Если это сделали не вы, отвяжите его в настройках и смените пароль.`,
    }),
    provider_unlinked: ({ provider_name }) => ({
      title: `Вход через ${provider_name} отвязан`,
      body: `Войти через ${provider_name} больше нельзя. Если это сделали не вы, смените пароль.`,
    }),
    totp_enabled: () => ({
      title: 'Подключено приложение для кодов',
      body: sentences(
        'Теперь при входе в вашу учётную запись нужен второй шаг: код из приложения, код восстановления или ключ доступа.',
        notYouFirst('отключите приложение'),
      ),
    }),
    totp_disabled: ({ second_step }) => ({
      title: 'Приложение для кодов отключено',
      body: sentences(
        second_step
          ? 'Вторым шагом при входе теперь служит ключ доступа или код восстановления.'
          : 'При входе в вашу учётную запись второй шаг больше не нужен.',
        notYou,
      ),
    }),
    passkey_added: () => ({
      title: 'Добавлен ключ доступа',
      body: sentences(
        'С ним можно войти без пароля, а при любом другом входе теперь нужен второй шаг.',
        notYouFirst('удалите этот ключ'),
      ),
    }),
    passkey_removed: ({ second_step }) => ({
      title: 'Ключ доступа удалён',
      body: sentences(
        !second_step && 'При входе в вашу учётную запись второй шаг больше не нужен.',
        notYou,
      ),
    }),
    recovery_code_used: ({ left }, formats) => ({
      title: 'Использован код восстановления',
      body: sentences(
        `Осталось: ${formats.count(left, { one: 'код восстановления', few: 'кода восстановления', other: 'кодов восстановления' })}.`,
        left <= 3 && 'Создайте вовремя новые в настройках учётной записи.',
        notYou,
      ),
    }),
    recovery_codes_replaced: () => ({
      title: 'Созданы новые коды восстановления',
      body: sentences('Прежние коды восстановления больше не действуют.', notYou),
    }),
    sign_in_codes_guessed: () => ({
      title: 'Кто-то пытается войти в вашу учётную запись',
      body: sentences(
        'Первый шаг входа пройден, а затем десять раз подряд введён неверный код из приложения. Вход не выполнен.',
        notYou,
      ),
    }),
    email_changed: () => ({
      title: 'Адрес почты изменён',
      body: 'У вашей учётной записи теперь другой адрес почты. Если это сделали не вы, откройте письмо, отправленное на прежний адрес: ссылка в нём отменит изменение.',
    }),
    password_changed: () => ({
      title: 'Пароль изменён',
      body: 'Вход на других устройствах завершён. Если это сделали не вы, кто-то узнал ваш пароль или читает вашу почту: сразу задайте новый пароль через «Забыли пароль?» и защитите почтовый ящик.',
    }),
    session_requested: ({ mentee_name, topic, starts_at }, formats) => ({
      title: `Запрос на сессию: ${mentee_name}`,
      body: `«${topic}», ${formats.dateTime(starts_at)}. Подтвердите сессию, чтобы вы оба могли её запланировать.`,
    }),
    session_confirmed: ({ mentor_name, topic, starts_at }, formats) => ({
      title: `Сессия подтверждена: ${mentor_name}`,
      body: `«${topic}», ${formats.dateTime(starts_at)}. До встречи!`,
    }),
    session_cancelled: (
      { other_name, cancelled_by, topic, starts_at, reason, refund_minor, currency },
      formats,
    ) => ({
      title: `Сессия отменена: ${other_name}`,
      body: sentences(
        `«${topic}», ${formats.dateTime(starts_at)}: сессия отменена ${cancelled_by === 'mentor' ? 'ментором' : 'учеником'}.`,
        reason && `Причина: «${reason}».`,
        refund_minor > 0 && `Вам вернётся ${formats.money(refund_minor, currency)}.`,
      ),
    }),
    session_expired: (
      { mentor_name, topic, starts_at, unpaid, refund_minor, currency },
      formats,
    ) => ({
      title: `Сессия не состоится: ${mentor_name}`,
      body: sentences(
        `«${topic}», ${formats.dateTime(starts_at)}: сессия не была вовремя ${unpaid ? 'оплачена' : 'подтверждена'}, и время снова свободно.`,
        refund_minor > 0 && `Вам вернётся ${formats.money(refund_minor, currency)}.`,
      ),
    }),
    session_completed: ({ other_name, topic, role }) => ({
      title: `Сессия завершена: ${other_name}`,
      body:
        role === 'mentee'
          ? `Как прошла сессия «${topic}»? Отзыв поможет ментору и другим ученикам.`
          : `Спасибо за ваше время и за сессию «${topic}».`,
    }),
    session_missed: (
      { other_name, role, absent_party, topic, starts_at, price_minor, refund_minor, currency },
      formats,
    ) => ({
      title:
        role === absent_party
          ? `${other_name} сообщает, что вы пропустили сессию`
          : `Сессия отмечена как пропущенная: ${other_name}`,
      body: sentences(
        `«${topic}», ${formats.dateTime(starts_at)}: сессия не состоялась, потому что ${absent_party === 'mentor' ? 'ментор не пришёл' : 'ученик не пришёл'}.`,
        refund_minor > 0 &&
          `${role === 'mentee' ? 'Вам вернётся' : 'Ученику вернётся'} ${formats.money(refund_minor, currency)}.`,
        price_minor > 0 && refund_minor === 0 && 'Стоимость не возвращается.',
      ),
    }),
    meeting_link_added: ({ mentor_name, topic, starts_at }, formats) => ({
      title: `Ссылка на встречу: ${mentor_name}`,
      body: `«${topic}», ${formats.dateTime(starts_at)}: ссылка уже в вашей сессии.`,
    }),
    new_message: ({ sender_name }) => ({
      title: `Новое сообщение: ${sender_name}`,
      body: 'Откройте чат, чтобы прочитать его.',
    }),
    review_received: ({ author_name, rating }, formats) => ({
      title: `Новый отзыв: ${author_name}`,
      body: `Ваша оценка: ${formats.count(rating, { one: 'звезда', few: 'звезды', other: 'звёзд' })} из 5.`,
    }),
    mentor_approved: () => ({
      title: 'Теперь вы ментор',
      body: 'Ваша заявка одобрена. Укажите часы на неделе, и ученики смогут к вам записаться.',
    }),
    mentor_rejected: ({ reason }) => ({
      title: 'Заявка ментора отклонена',
      body: `Причина: «${reason}».`,
    }),
    payment_received: ({ description, amount_minor, currency }, formats) => ({
      title: `Оплата получена: ${formats.money(amount_minor, currency)}`,
      body: `Мы получили вашу оплату за «${description}».`,
    }),
    payment_failed: ({ description, amount_minor, currency }, formats) => ({
      title: 'Оплата не прошла',
      body: `Не удалось списать ${formats.money(amount_minor, currency)} за «${description}». Пока время за вами, можно попробовать ещё раз.`,
    }),
    payment_refunded: ({ description, refunded_minor, currency }, formats) => ({
      title: `Возврат: ${formats.money(refunded_minor, currency)}`,
      body: `Мы вернули вам ${formats.money(refunded_minor, currency)} за «${description}».`,
    }),
  },
  mails: {
    account: {
      verify_email: (formats) => ({
        subject: 'Подтвердите адрес почты',
        paragraphs: [
          'Пожалуйста, подтвердите, что это ваш адрес почты.',
          `Ссылка сработает один раз и действует ${formats.count(24, { one: 'час', few: 'часа', other: 'часов' })}. Если вы не регистрировались в MentorHub, не обращайте внимания на это письмо.`,
        ],
        action: 'Подтвердить адрес',
      }),
      reset_password: (formats) => ({
        subject: 'Новый пароль',
        paragraphs: [
          'Для вашей учётной записи запрошен новый пароль — скорее всего, вами.',
          `Ссылка сработает один раз и действует ${formats.count(1, { one: 'час', few: 'часа', other: 'часов' })}. Если это были не вы, не обращайте внимания на это письмо: пароль останется прежним.`,
        ],
        action: 'Задать новый пароль',
      }),
      confirm_email_change: (formats) => ({
        subject: 'Подтвердите новый адрес почты',
        paragraphs: [
          'Этот адрес указан как новый для учётной записи в MentorHub. Пожалуйста, подтвердите, что и адрес, и учётная запись ваши.',
          `Ссылка сработает один раз и действует ${formats.count(24, { one: 'час', few: 'часа', other: 'часов' })} там, где вы вошли в учётную запись. Если это были не вы, не обращайте внимания на это письмо.`,
        ],
        action: 'Подтвердить новый адрес',
      }),
      undo_email_change: (formats) => ({
        subject: 'Адрес почты вашей учётной записи изменён',
        paragraphs: [
          'У вашей учётной записи в MentorHub теперь другой адрес почты. Если это сделали вы, ничего делать не нужно.',
          `Если нет, отмените изменение в течение ${formats.count(72, { one: 'часа', other: 'часов' })}: учётной записи вернётся этот адрес, вход на всех устройствах будет завершён, и вы сможете задать новый пароль. Способы входа, добавленные незадолго до изменения или после него, перестанут работать. Если вы входите в два шага, создайте после этого новые коды восстановления.`,
        ],
        action: 'Отменить изменение',
      }),
      sign_in_code: (formats, { code = '' }) => ({
        subject: 'Вход в MentorHub',
        paragraphs: [
          `Ваш код: ${code}`,
          `Код и ссылка сработают один раз, в течение ${formats.count(10, { one: 'минуты', other: 'минут' })}, в том браузере, где их запросили. Если вы их не запрашивали, не обращайте внимания на это письмо и никому не сообщайте код.`,
        ],
        action: 'Войти',
      }),
      reauthentication_code: (formats, { code = '' }) => ({
        subject: 'Подтвердите, что это вы',
        paragraphs: [
          `Ваш код: ${code}`,
          `Он сработает один раз, в течение ${formats.count(10, { one: 'минуты', other: 'минут' })}, там, где вы вошли. Если вы его не запрашивали, завершите вход на всех устройствах и никому не сообщайте код.`,
        ],
        action: 'Открыть MentorHub',
      }),
    },
    greeting: (name) => (name === undefined ? 'Здравствуйте!' : `${name}, здравствуйте!`),
    open: 'Открыть MentorHub',
    orCopy: 'Или скопируйте адрес в браузер:',
    signature: 'Команда MentorHub',
    whyReceived: 'Вы получили это письмо, потому что у вас есть учётная запись в MentorHub.',
    whyNamed:
      'Вы получили это письмо, потому что этот адрес указан в MentorHub — скорее всего, вами.',
  },
};

function device(browser: string | null, os: string | null): string {
  if (browser === null) return os ?? 'Неизвестное устройство';
  return os === null ? browser : `${browser}, ${os}`;
}

function sentences(...parts: (string | false | null)[]): string {
  return parts.filter(Boolean).join(' ');
}
