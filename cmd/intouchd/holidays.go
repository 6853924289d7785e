package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"intouch/caldav"
	"intouch/scheduler"
	"intouch/store"
)

// Bounds of a calendar of holidays.
const (
	maxHolidayFile = 1 << 20
	holidayTime    = 30 * time.Second
	holidayYears   = 6 // from two years ago: what a series repeats is taken for so long
	maxCalendars   = 20
)

func (c *reading) holidays(t *table) {
	h := &c.cfg.Holidays
	switch name := t.text("calendar", "russia"); name {
	case "russia":
		h.Shipped = store.RussianHolidays()
	case "":
	default:
		t.fault("calendar", `%q is not a calendar that is shipped: there is "russia", and "" is none`, name)
	}
	h.Addresses = t.texts("urls")
	for i, address := range h.Addresses {
		if u, err := url.Parse(address); err != nil || u.Host == "" || u.Opaque != "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
			t.fault("urls", "address %d is not one like https://calendars.vector.test/holidays.ics, without a login", i+1) // not its text: it may hold a password
		}
	}
	files := t.texts("files")
	for _, name := range files {
		days, err := holidayFile(c.path(name), time.Now())
		if err != nil {
			t.fault("files", "%v", err)
		}
		h.Own = append(h.Own, days...)
	}
	for key, n := range map[string]int{"urls": len(h.Addresses), "files": len(files)} {
		if n > maxCalendars {
			t.fault(key, "has %d calendars, %d may be given", n, maxCalendars)
		}
	}
}

// holidayFile reads a calendar of holidays: iCalendar where the name ends in
// .ics, else lines of holidays.txt.
func holidayFile(name string, now time.Time) ([]store.Holiday, error) {
	body, err := readBounded(name, maxHolidayFile)
	if err != nil {
		return nil, err
	}
	var days []store.Holiday
	if strings.EqualFold(filepath.Ext(name), ".ics") {
		days, err = icsHolidays(body, now)
	} else {
		days, err = store.ParseHolidays(string(body))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return days, nil
}

func icsHolidays(body []byte, now time.Time) ([]store.Holiday, error) {
	first := store.DateOf(now.AddDate(-2, 0, 0), time.UTC)[:4] + "-01-01"
	last := store.DateOf(now.AddDate(holidayYears-3, 0, 0), time.UTC)[:4] + "-12-31"
	return caldav.Holidays(body, first, last)
}

// holidayFetch brings in the calendars of the settings that have an address;
// nil where there are none. One that fails stays as it was, and holds up no
// other.
func holidayFetch(st *store.Store, addresses []string) scheduler.Chore {
	if len(addresses) == 0 {
		return nil
	}
	client := &http.Client{Timeout: holidayTime, CheckRedirect: guardedRedirect}
	return func(ctx context.Context) (string, error) {
		var said, failed []string
		for i, address := range addresses {
			// The rest of the address may be a secret.
			name := fmt.Sprintf("calendar %d", i+1)
			if u, err := url.Parse(address); err == nil {
				name += " (" + u.Host + ")"
			}
			n, err := fetchHolidays(ctx, client, st, address)
			if n > 0 {
				said = append(said, fmt.Sprintf("%s: %d days changed", name, n))
			}
			if err != nil {
				failed = append(failed, fmt.Sprintf("%s: %v", name, err))
			}
		}
		err := st.KeepHolidays(ctx, addresses)
		if len(failed) > 0 {
			err = errors.Join(errors.New(strings.Join(failed, "; ")), err)
		}
		return strings.Join(said, "; "), err
	}
}

// guardedRedirect follows where a server of others sends us by TLS alone, or on
// itself: what listens without a certificate for a public name, like a cloud's
// metadata or the machine's own services, is out of its reach.
func guardedRedirect(to *http.Request, via []*http.Request) error {
	switch {
	case len(via) >= 5:
		return errors.New("it redirects without end")
	case to.URL.Scheme != "https" && to.URL.Host != via[0].URL.Host:
		return errors.New("it redirects to another address without TLS, which is not followed")
	}
	return nil
}

func fetchHolidays(ctx context.Context, client *http.Client, st *store.Store, address string) (changed int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept", "text/calendar")
	req.Header.Set("User-Agent", "intouchd/"+version)
	res, err := client.Do(req)
	if err != nil {
		var refused *url.Error
		if errors.As(err, &refused) { // its text repeats the address
			err = refused.Err
		}
		return 0, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("it answered %s", res.Status)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxHolidayFile+1))
	if err != nil {
		return 0, err
	}
	if len(body) > maxHolidayFile {
		return 0, fmt.Errorf("it is larger than %d bytes", maxHolidayFile)
	}
	days, err := icsHolidays(body, st.Now())
	if err == nil && len(days) == 0 {
		err = errors.New("it has no whole days of these years")
	}
	if err != nil {
		return 0, err
	}
	return st.SaveHolidays(ctx, address, days)
}

func (p *program) holidaysCommand() *cobra.Command {
	year := 0
	cmd := &cobra.Command{
		Use:   "holidays",
		Short: "List the days that are not what their weekday says",
		Long: "Lists the days that are free, or worked on though they are a weekend's, as the settings' [holidays] and what was fetched say. The\n" +
			"lines are those that a file of holidays has: save them, change them, and name the file in holidays.files.",
		Args: takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			h, err := st.Holidays(cmd.Context())
			if err != nil {
				return err
			}
			t := bufio.NewWriter(p.out)
			for _, d := range h.All() {
				if year != 0 && !strings.HasPrefix(string(d.Day), fmt.Sprintf("%04d-", year)) {
					continue
				}
				kind := "free"
				if d.Working {
					kind = "work"
				}
				fmt.Fprintf(t, "%s %s %s\n", d.Day, kind, strings.Join(strings.Fields(d.Name), " "))
			}
			return t.Flush()
		},
	}
	cmd.Flags().IntVar(&year, "year", 0, "only of that `YEAR`")
	return cmd
}
