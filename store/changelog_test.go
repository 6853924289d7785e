package store_test

import (
	"errors"
	"testing"

	"intouch/store"
)

func TestLoggedChanges(t *testing.T) {
	each(t, func(h *house) {
		if _, err := h.LoggedChanges(ctx, h.anna, store.ChangeLog{}, 10); !errors.Is(err, store.ErrForbidden) {
			t.Errorf("for a manager: %v", err)
		}
		read := func(log store.ChangeLog) []store.LoggedChange {
			rows, err := h.LoggedChanges(ctx, h.boris, log, 1000)
			h.must(err)
			return rows
		}
		all := read(store.ChangeLog{})
		if len(all) == 0 {
			t.Fatal("nothing")
		}
		named := map[string]string{}
		for i, row := range all {
			if i > 0 && row.Row >= all[i-1].Row {
				t.Errorf("row %d is not older than the one before", row.Row)
			}
			named[row.What] = row.Name
			if row.What == "event" && row.DealID == 0 {
				t.Errorf("an event without its deal: %+v", row)
			}
		}
		if named["manager"] == "" || named["client"] == "" {
			t.Errorf("%v", named)
		}
		_, _, err := h.SaveManager(ctx, store.Actor{ManagerID: h.ivan.ID, Origin: store.FromWeb}, store.ManagerRow{Login: "ivan", TimeZone: "Asia/Omsk"})
		h.must(err)
		if rows := read(store.ChangeLog{ManagerID: h.ivan.ID, What: "manager"}); len(rows) != 1 || rows[0].Changes["time_zone"][1] != "Asia/Omsk" || rows[0].Origin != store.FromWeb {
			t.Errorf("%+v", rows)
		}
		if rows := read(store.ChangeLog{Before: all[0].Row}); len(rows) != len(all)-1 {
			t.Errorf("%d rows before the newest of %d", len(rows), len(all))
		}
		var client int64
		for _, row := range all {
			if row.What == "client" {
				client = row.ID
			}
		}
		for _, row := range read(store.ChangeLog{ClientID: client}) {
			if row.What == "manager" || row.What == "client" && row.ID != client {
				t.Errorf("not of the client: %+v", row)
			}
		}
	})
}
