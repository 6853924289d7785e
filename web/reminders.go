package web

import (
	"net/http"
	"strings"

	"intouch/store"
)

// When a manager is reminded of what is coming, where it is to be otherwise
// than the settings say.

type remindersView struct {
	Mail []option
	Rows []reminderField
	Zone string
}

// reminderField is one setting; what it does and how it is written is said by
// its key. Value "" is as House has it.
type reminderField struct{ Key, Value, House, Label, Hint, Error string }

// cyrillic is how Russian managers write what Reminders.Set takes, which
// understands both.
var cyrillic = strings.NewReplacer("none", "нет", "m", "м", "h", "ч", "d", "д")

func (s *server) reminders(v *visit) error {
	return s.showReminders(v, http.StatusOK, v.who.Reminders, nil)
}

// showReminders shows the form with what the manager wants, and what is wrong
// with it by key.
func (s *server) showReminders(v *visit, code int, want map[string]string, errors map[string]string) error {
	v.name = "setup"
	house := s.st.RemindersOf(store.Manager{})
	view := remindersView{Zone: v.who.TimeZone}
	write := func(value string) string {
		if v.say.lang == store.Russian {
			return cyrillic.Replace(value)
		}
		return value
	}
	for _, key := range store.ReminderKeys {
		if key == "mail" {
			view.Mail = []option{{"", v.say.t("reminders.mail.house", v.say.t("reminders.mail."+house.Get(key))), want[key] == ""}}
			for _, value := range []string{"on", "off"} {
				view.Mail = append(view.Mail, option{value, v.say.t("reminders.mail." + value), want[key] == value})
			}
			continue
		}
		row := reminderField{Key: key, Value: want[key], House: write(house.Get(key)), Label: v.say.t("reminders." + key), Hint: v.say.t("reminders.hint." + key), Error: errors[key]}
		if row.Error == "" {
			row.Value = write(row.Value)
		}
		view.Rows = append(view.Rows, row)
	}
	return s.show(v, code, "reminders.html", v.say.t("reminders"), view)
}

func (s *server) saveReminders(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	want, errors := map[string]string{}, map[string]string{}
	for _, key := range store.ReminderKeys {
		want[key] = clip(200, strings.TrimSpace(v.PostFormValue(key)))
		var r store.Reminders
		if want[key] != "" && r.Set(key, want[key]) != nil {
			errors[key] = v.say.t("reminders.bad", v.say.t("reminders.hint."+key))
		}
	}
	if len(errors) > 0 {
		return s.showReminders(v, http.StatusUnprocessableEntity, want, errors)
	}
	if err := s.st.SetReminders(v.ctx, v.actor(), v.who.ID, want); err != nil {
		return err
	}
	return v.back("/reminders", "saved")
}
