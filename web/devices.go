package web

import (
	"errors"
	"html/template"
	"net/http"

	"intouch/store"
)

// The devices of a manager on the set-up page: an app password each, shown
// once, to be revoked one by one.

type devicesView struct {
	Rows  []deviceRow
	Name  string // as it was typed, when it was refused
	Error string
	Fresh *freshPassword // one that was just made
}

type deviceRow struct {
	ID               int64
	Name, Made, Used string
}

type freshPassword struct {
	Name, Password string
	Code           template.HTML // for DAVx⁵; "" where no phone reaches us
}

func deviceRows(say voice, list []store.AppPassword) (out []deviceRow) {
	for _, p := range list {
		row := deviceRow{ID: p.ID, Name: p.Name, Made: say.moment(p.Created), Used: say.t("devices.unused")}
		if !p.Used.IsZero() {
			row.Used = say.t("devices.used", say.moment(p.Used), p.UsedFrom)
		}
		out = append(out, row)
	}
	return out
}

// addDevice makes an app password and shows it, or gives it within the profile
// for Apple's devices.
func (s *server) addDevice(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	profile := v.PostFormValue("do") == "profile"
	if profile && s.appleURL() == nil {
		return store.ErrNotFound
	}
	name := v.PostFormValue("name")
	made, password, err := s.st.AddAppPassword(v.ctx, v.actor(), v.who.ID, name)
	var bad *store.Invalid
	switch {
	case errors.As(err, &bad):
		return s.showSetup(v, http.StatusUnprocessableEntity, devicesView{Name: clip(100, name), Error: v.say.t("devices.badname")})
	case err != nil:
		return err
	case profile:
		return s.sendProfile(v, password)
	}
	return s.showSetup(v, http.StatusOK, devicesView{Fresh: &freshPassword{Name: made.Name, Password: password}})
}

func (s *server) revokeDevice(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	if err := s.st.RevokeAppPassword(v.ctx, v.actor(), v.who.ID, id); err != nil {
		return err
	}
	return v.back("/setup#devices", "device")
}
