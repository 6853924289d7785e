package web

import (
	"errors"
	"net"
	"net/http"
	"strings"

	"intouch/store"
)

// A manager's own settings: language, zone and working hours, the password,
// and the sessions.

type settingsView struct {
	Name, Login, Emails, Role string
	Languages                 []option
	Zone, Hours, HouseHours   string
	Zones                     []string // suggested; any other is taken, too
	Errors                    map[string]string
	Fixed                     map[string]bool // the settings file has it, which wins
	SomeFixed, AllFixed       bool            // of language, zone and hours
	SessionDays               int
}

// commonZones are offered while a zone is typed.
var commonZones = []string{
	"Europe/Kaliningrad", "Europe/Moscow", "Europe/Samara", "Asia/Yekaterinburg", "Asia/Omsk", "Asia/Novosibirsk", "Asia/Krasnoyarsk", "Asia/Irkutsk",
	"Asia/Yakutsk", "Asia/Vladivostok", "Asia/Magadan", "Asia/Kamchatka", "Europe/Minsk", "Asia/Almaty", "Asia/Tashkent", "Asia/Tbilisi", "Asia/Yerevan",
	"Asia/Baku", "Asia/Dubai", "Asia/Shanghai", "Asia/Singapore", "Europe/Istanbul", "Europe/Athens", "Europe/Berlin", "Europe/Paris", "Europe/London",
	"America/New_York", "America/Chicago", "America/Los_Angeles", "UTC",
}

// russianDays are how Russian managers write what store.ParseWorkHours takes,
// which understands both.
var russianDays = strings.NewReplacer("mon", "пн", "tue", "вт", "wed", "ср", "thu", "чт", "fri", "пт", "sat", "сб", "sun", "вс")

func writeHours(say voice, w store.WorkHours) string {
	if say.lang == store.Russian {
		return russianDays.Replace(w.String())
	}
	return w.String()
}

func (s *server) settings(v *visit) error {
	return s.showSettings(v, http.StatusOK, store.ManagerRow{
		Language: string(v.who.Language), TimeZone: v.who.TimeZone, WorkHours: writeHours(v.say, v.who.WorkHours),
	}, nil)
}

// showSettings shows the page with what was typed, and what is wrong with it by
// the field's name.
func (s *server) showSettings(v *visit, code int, typed store.ManagerRow, errors map[string]string) error {
	v.name = "setup"
	view := settingsView{
		Name: v.who.Name, Login: v.who.Login, Emails: strings.Join(v.who.Emails, ", "), Role: v.say.t("role." + string(v.who.Role)),
		Zone: typed.TimeZone, Hours: typed.WorkHours, HouseHours: writeHours(v.say, s.st.WorkHoursOf(store.Manager{})), Zones: commonZones,
		Errors: errors, SessionDays: int(sessionLife.Hours() / 24),
	}
	view.Fixed = s.fixed(v)
	view.SomeFixed, view.AllFixed = false, true
	for _, name := range ownSettings {
		view.SomeFixed = view.SomeFixed || view.Fixed[name]
		view.AllFixed = view.AllFixed && view.Fixed[name]
	}
	for _, l := range []store.Language{store.Russian, store.English} {
		view.Languages = append(view.Languages, option{string(l), v.say.t("language." + string(l)), typed.Language == string(l)})
	}
	return s.show(v, code, "settings.html", v.say.t("settings"), view)
}

// ownSettings are the fields of the form.
var ownSettings = []string{"language", "time_zone", "work_hours"}

// fixed reports what of the manager the settings file has.
func (s *server) fixed(v *visit) map[string]bool {
	if s.opt.Fixed == nil {
		return nil
	}
	return s.opt.Fixed(v.who.Login)
}

func (s *server) saveSettings(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	fixed := s.fixed(v)
	now := map[string]string{"language": string(v.who.Language), "time_zone": v.who.TimeZone, "work_hours": writeHours(v.say, v.who.WorkHours)}
	field := func(name string) string {
		if fixed[name] { // whatever a form says
			return now[name]
		}
		return clip(200, strings.TrimSpace(v.PostFormValue(name)))
	}
	typed := store.ManagerRow{Login: v.who.Login, Language: field("language"), TimeZone: field("time_zone"), WorkHours: field("work_hours")}
	row := typed
	if row.WorkHours == "" {
		row.WorkHours = "house"
	}
	// SaveManager keeps what is empty; a form that lacks it is wrong.
	missing := map[string]string{}
	for name, value := range map[string]string{"language": typed.Language, "time_zone": typed.TimeZone} {
		if value == "" {
			missing[name] = v.say.t("settings.bad." + name)
		}
	}
	if len(missing) > 0 {
		return s.showSettings(v, http.StatusUnprocessableEntity, typed, missing)
	}
	_, _, err := s.st.SaveManager(v.ctx, v.actor(), row)
	var bad *store.Invalid
	if errors.As(err, &bad) {
		return s.showSettings(v, http.StatusUnprocessableEntity, typed, map[string]string{bad.Field: known(v.say, "settings.bad.", bad.Field)})
	}
	if err != nil {
		return err
	}
	return v.back("/settings", "saved")
}

// changePassword ends all sessions but this one.
func (s *server) changePassword(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	if s.fixed(v)["password"] {
		return store.ErrForbidden
	}
	fresh := v.PostFormValue("new")
	field, fault, code := "again", "settings.notsame", http.StatusUnprocessableEntity
	if fresh == v.PostFormValue("again") {
		err := s.st.ChangePassword(v.ctx, v.actor(), v.who, v.PostFormValue("old"), fresh, v.remote())
		var bad *store.Invalid
		switch {
		case errors.As(err, &bad):
			field, fault = "new", "settings.badpassword"
		case errors.Is(err, store.ErrTooManyLogins):
			field, fault, code = "old", "login.many", http.StatusTooManyRequests
		case errors.Is(err, store.ErrBadLogin):
			field, fault, code = "old", "settings.wrongpassword", http.StatusForbidden
		case err != nil:
			return err
		default:
			return s.onlyThisSession(v, "password")
		}
	}
	return s.showSettings(v, code, store.ManagerRow{
		Language: string(v.who.Language), TimeZone: v.who.TimeZone, WorkHours: writeHours(v.say, v.who.WorkHours),
	}, map[string]string{field: v.say.t(fault)})
}

func (s *server) endSessions(v *visit) error {
	if err := s.st.EndSessions(v.ctx, v.actor(), v.who.ID); err != nil {
		return err
	}
	return s.onlyThisSession(v, "sessions")
}

// onlyThisSession goes on in this browser after all sessions have ended.
func (s *server) onlyThisSession(v *visit, said string) error {
	if err := s.sessions.begin(v.ctx, v.w, v.who.ID, s.st.Now()); err != nil {
		return err
	}
	http.Redirect(v.w, v.Request, "/settings?said="+said, http.StatusSeeOther)
	return nil
}

// remote is the peer's IP address: no header is believed here.
func (v *visit) remote() string {
	host, _, err := net.SplitHostPort(v.RemoteAddr)
	if err != nil {
		return v.RemoteAddr
	}
	return host
}
