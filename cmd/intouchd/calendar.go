package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"intouch/caldav"
	"intouch/store"
)

// calendarCommand keeps saved filters, and the secret addresses of calendars.
func (p *program) calendarCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "calendar",
		Short: "Saved filters and feeds: list, add, change, delete, feed and revoke",
		Long: "A saved filter is a calendar of its own in a manager's home: it shows what matches, and follows every change.\n" +
			"A feed is the secret address of one calendar, for programs without CalDAV (Google, Outlook). It is printed\n" +
			"once; whoever has it reads the calendar until it is revoked.",
	}, p.calendarList(), p.calendarAdd(), p.calendarChange(), p.calendarDelete(), p.calendarFeed(), p.calendarRevoke())
}

// filterFlags are the flags that a filter is given by.
type filterFlags struct {
	name, color                                          string
	managers, clients                                    []string
	statuses, types, kinds, importances, classes, stages []string
	variations, attributes                               []string
	words                                                string
	doneDays                                             int
	noLetters, labelled                                  bool
}

func (f *filterFlags) on(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.statuses, "status", nil, "overdue, current, postponed, done (default: all)")
	flags.StringSliceVar(&f.types, "type", nil, "contact, shipment, payment")
	flags.StringSliceVar(&f.kinds, "kind", nil, "call, meeting, visit, letter, other; deal events pass, unless --type leaves them out")
	flags.StringSliceVar(&f.importances, "importance", nil, "high, normal, low")
	flags.StringSliceVar(&f.clients, "client", nil, "name, or a part of it that only one has (repeatable)")
	flags.StringSliceVar(&f.classes, "class", nil, "A, B, C: the client's")
	flags.StringSliceVar(&f.stages, "stage", nil, "potential, one-off, regular, lost: the client's")
	flags.StringSliceVar(&f.variations, "xyz", nil, "X, Y, Z: the client's")
	flags.StringArrayVar(&f.attributes, "attribute", nil, "NAME=VALUE: what an attribute of the client says (repeatable)")
	flags.StringVar(&f.words, "words", "", "words that must all occur in subject, text or client")
	flags.StringSliceVar(&f.managers, "manager", nil, "logins, or all; for heads (default: the own contacts)")
	flags.IntVar(&f.doneDays, "done-days", 0, "for how many days done contacts stay (default 90)")
	flags.BoolVar(&f.noLetters, "no-letters", false, "without captured letters")
	flags.BoolVar(&f.labelled, "labelled", false, "also what lies in calendars made in a calendar program")
	flags.StringVar(&f.color, "color", "", "like #6A1B9A")
}

// filter is what the flags that were given make of a filter.
func (f *filterFlags) filter(cmd *cobra.Command, st *store.Store, owner store.Manager, to store.Filter) (store.Filter, error) {
	given := cmd.Flags().Changed
	setList(&to.Statuses, f.statuses, given("status"))
	setList(&to.Types, f.types, given("type"))
	setList(&to.Kinds, f.kinds, given("kind"))
	setList(&to.Importances, f.importances, given("importance"))
	setList(&to.Classes, f.classes, given("class"))
	setList(&to.Stages, f.stages, given("stage"))
	setList(&to.Variations, f.variations, given("xyz"))
	if given("attribute") {
		var err error
		if to.Attributes, err = store.ParseAttributes(strings.Join(f.attributes, "\n")); err != nil {
			return to, err
		}
	}
	if given("words") {
		to.Words = f.words
	}
	if given("done-days") {
		to.DoneDays = f.doneDays
	}
	if given("no-letters") {
		to.NoLetters = f.noLetters
	}
	if given("labelled") {
		to.Labelled = f.labelled
	}
	if given("manager") {
		to.Managers = nil
		for _, login := range f.managers {
			if login == "all" {
				if owner.Role != store.RoleHead {
					return to, store.ErrForbidden
				}
				continue
			}
			m, err := managerNamed(cmd.Context(), st, login)
			if err != nil {
				return to, err
			}
			to.Managers = append(to.Managers, m.ID)
		}
	}
	if given("client") {
		to.Clients = nil
		for _, name := range f.clients {
			id, err := clientNamed(cmd.Context(), st, owner, name)
			if err != nil {
				return to, err
			}
			to.Clients = append(to.Clients, id)
		}
	}
	return to, nil
}

func (f *filterFlags) edit(cmd *cobra.Command) (e store.CollectionEdit) {
	if cmd.Flags().Changed("color") {
		e.Color = &f.color
	}
	if f.name != "" {
		e.Name = &f.name
	}
	return e
}

// setList takes the values of a flag that was given; one empty value is no
// restriction.
func setList[T ~string](to *[]T, values []string, given bool) {
	if !given {
		return
	}
	*to = nil
	for _, v := range values {
		if v != "" {
			*to = append(*to, T(v))
		}
	}
}

// clientNamed finds the one client of that name, or with that in its name.
func clientNamed(ctx context.Context, st *store.Store, who store.Manager, name string) (int64, error) {
	found, err := st.Clients(ctx, who, name, 20)
	if err != nil {
		return 0, fmt.Errorf("read the clients: %w", err)
	}
	for _, c := range found {
		if strings.EqualFold(c.Name, name) {
			return c.ID, nil
		}
	}
	switch len(found) {
	case 0:
		return 0, usage("there is no client %q", name)
	case 1:
		return found[0].ID, nil
	}
	return 0, usage("%q may be several clients, as %s and %s", name, found[0].Name, found[1].Name)
}

// onCalendars runs a command that works on the calendars of the manager whose
// login is the first argument. What the store refuses is wrong usage.
func (p *program) onCalendars(do func(cmd *cobra.Command, cfg *Config, st *store.Store, m store.Manager, args []string) error) func(*cobra.Command, []string) error {
	return p.ofManager(func(cmd *cobra.Command, cfg *Config, st *store.Store, m store.Manager, args []string) error {
		err := do(cmd, cfg, st, m, args)
		var bad *store.Invalid
		switch {
		case errors.As(err, &bad):
			return usage("%s: %v", cmd.CommandPath(), bad)
		case errors.Is(err, store.ErrForbidden):
			return usage("%s: not for %s: the contacts of others are for heads, and the calendars that come with a manager stay", cmd.CommandPath(), m.Login)
		}
		return err
	})
}

// calendarNamed finds a calendar by the last part of its address, or its name.
func calendarNamed(ctx context.Context, st *store.Store, m store.Manager, name string) (store.Collection, error) {
	all, err := st.Collections(ctx, m.ID)
	if err != nil {
		return store.Collection{}, fmt.Errorf("read the calendars of %s: %w", m.Login, err)
	}
	var found []store.Collection
	for _, c := range all {
		if c.Slug == name {
			return c, nil
		}
		if strings.EqualFold(c.Name, name) {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return store.Collection{}, usage("%s has no calendar %q; see intouchd calendar list %s", m.Login, name, m.Login)
	case 1:
		return found[0], nil
	}
	return store.Collection{}, usage("%s has %d calendars %q: give the last part of its address", m.Login, len(found), name)
}

func (p *program) calendarList() *cobra.Command {
	return &cobra.Command{
		Use:   "list LOGIN",
		Short: "List a manager's calendars, with their filters and feeds",
		Args:  takes(cobra.ExactArgs(1)),
		RunE: p.onCalendars(func(cmd *cobra.Command, _ *Config, st *store.Store, m store.Manager, _ []string) error {
			all, err := st.Collections(cmd.Context(), m.ID)
			if err != nil {
				return fmt.Errorf("read the calendars of %s: %w", m.Login, err)
			}
			feeds, err := st.Feeds(cmd.Context(), m.ID)
			if err != nil {
				return fmt.Errorf("read the feeds of %s: %w", m.Login, err)
			}
			w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "CALENDAR\tKIND\tNAME\tCOLOR\tFEED\tFILTER")
			for _, c := range all {
				feed := "-"
				if f, ok := feeds[c.ID]; ok {
					feed = "never read"
					if !f.Used.IsZero() {
						feed = "read " + f.Used.In(m.Location()).Format("2006-01-02 15:04")
					}
				}
				filter := "-"
				if c.Kind == store.FilterCalendar {
					if filter, err = filterText(cmd.Context(), st, m, c.Filter); err != nil {
						return err
					}
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", c.Slug, c.Kind, c.Name, c.Color, feed, filter)
			}
			return w.Flush()
		}),
	}
}

// filterText is a filter as the flags that make it.
func filterText(ctx context.Context, st *store.Store, owner store.Manager, f store.Filter) (string, error) {
	var text []string
	say := func(flag string, values ...string) {
		if len(values) > 0 {
			text = append(text, "--"+flag+" "+strings.Join(values, ","))
		}
	}
	say("status", plainTexts(f.Statuses)...)
	say("type", plainTexts(f.Types)...)
	say("kind", plainTexts(f.Kinds)...)
	say("importance", plainTexts(f.Importances)...)
	say("class", f.Classes...)
	say("stage", f.Stages...)
	say("xyz", f.Variations...)
	if len(f.Attributes) > 0 {
		say("attribute", strconv.Quote(f.Attributes.String()))
	}
	for _, id := range f.Clients {
		card, err := st.Client(ctx, owner, id)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrForbidden) {
			card.Client.Name = strconv.FormatInt(id, 10)
		} else if err != nil {
			return "", fmt.Errorf("read client %d: %w", id, err)
		}
		say("client", strconv.Quote(card.Client.Name))
	}
	if f.Words != "" {
		say("words", strconv.Quote(f.Words))
	}
	var logins []string
	all, err := st.Managers(ctx)
	if err != nil {
		return "", fmt.Errorf("read the managers: %w", err)
	}
	for _, m := range all {
		for _, id := range f.Managers {
			if m.ID == id && id != owner.ID || m.ID == id && len(f.Managers) > 1 {
				logins = append(logins, m.Login)
			}
		}
	}
	if len(f.Managers) == 0 {
		logins = []string{"all"}
	}
	say("manager", logins...)
	say("done-days", strconv.Itoa(f.DoneDays))
	if f.NoLetters {
		text = append(text, "--no-letters")
	}
	if f.Labelled {
		text = append(text, "--labelled")
	}
	return strings.Join(text, " "), nil
}

func plainTexts[T ~string](list []T) (out []string) {
	for _, v := range list {
		out = append(out, string(v))
	}
	return out
}

func (p *program) calendarAdd() *cobra.Command {
	var f filterFlags
	cmd := &cobra.Command{
		Use:   "add LOGIN NAME",
		Short: "Save a filter as a calendar",
		Args:  takes(cobra.ExactArgs(2)),
		RunE: p.onCalendars(func(cmd *cobra.Command, cfg *Config, st *store.Store, m store.Manager, args []string) error {
			filter, err := f.filter(cmd, st, m, store.Filter{Managers: []int64{m.ID}})
			if err != nil {
				return err
			}
			f.name = args[0]
			c, err := st.MakeFilter(cmd.Context(), operator(m), filter, f.edit(cmd))
			if err != nil {
				return fmt.Errorf("save the filter: %w", err)
			}
			fmt.Fprintf(p.out, "%s%s\n", cfg.Server.PublicURL, caldav.CalendarPath(m.Login, c.Slug))
			return nil
		}),
	}
	f.on(cmd)
	return cmd
}

// operator acts for a manager on the command line.
func operator(m store.Manager) store.Actor {
	return store.Actor{ManagerID: m.ID, Origin: store.FromImport}
}

func (p *program) calendarChange() *cobra.Command {
	var f filterFlags
	cmd := &cobra.Command{
		Use:   "change LOGIN CALENDAR",
		Short: "Change a saved filter: what is not given stays, an empty value lifts a restriction",
		Args:  takes(cobra.ExactArgs(2)),
		RunE: p.onCalendars(func(cmd *cobra.Command, _ *Config, st *store.Store, m store.Manager, args []string) error {
			c, err := calendarNamed(cmd.Context(), st, m, args[0])
			if err != nil {
				return err
			}
			if c.Kind != store.FilterCalendar {
				return usage("%s is not a saved filter", c.Slug)
			}
			filter, err := f.filter(cmd, st, m, c.Filter)
			if err != nil {
				return err
			}
			if err := st.EditFilter(cmd.Context(), operator(m), c.ID, filter, f.edit(cmd)); err != nil {
				return fmt.Errorf("change the filter: %w", err)
			}
			return nil
		}),
	}
	f.on(cmd)
	cmd.Flags().StringVar(&f.name, "name", "", "another name")
	return cmd
}

func (p *program) calendarDelete() *cobra.Command {
	return &cobra.Command{
		Use:   "delete LOGIN CALENDAR",
		Short: "Delete a saved filter; its contacts stay",
		Args:  takes(cobra.ExactArgs(2)),
		RunE: p.onCalendars(func(cmd *cobra.Command, _ *Config, st *store.Store, m store.Manager, args []string) error {
			c, err := calendarNamed(cmd.Context(), st, m, args[0])
			if err != nil {
				return err
			}
			if c.Kind != store.FilterCalendar { // a label calendar may hold what is nowhere else
				return usage("%s is not a saved filter", c.Slug)
			}
			if err := st.DeleteCalendar(cmd.Context(), operator(m), c.ID); err != nil {
				return fmt.Errorf("delete the filter: %w", err)
			}
			return nil
		}),
	}
}

func (p *program) calendarFeed() *cobra.Command {
	return &cobra.Command{
		Use:   "feed LOGIN CALENDAR",
		Short: "Give a calendar a new secret address, and print it; the old one ends",
		Args:  takes(cobra.ExactArgs(2)),
		RunE: p.onCalendars(func(cmd *cobra.Command, cfg *Config, st *store.Store, m store.Manager, args []string) error {
			c, err := calendarNamed(cmd.Context(), st, m, args[0])
			if err != nil {
				return err
			}
			secret, err := st.MakeFeed(cmd.Context(), operator(m), c.ID)
			if err != nil {
				return fmt.Errorf("make the feed: %w", err)
			}
			fmt.Fprintf(p.out, "%s%s\n", cfg.Server.PublicURL, caldav.FeedPath(secret))
			return nil
		}),
	}
}

func (p *program) calendarRevoke() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke LOGIN CALENDAR",
		Short: "End a calendar's secret address",
		Args:  takes(cobra.ExactArgs(2)),
		RunE: p.onCalendars(func(cmd *cobra.Command, _ *Config, st *store.Store, m store.Manager, args []string) error {
			c, err := calendarNamed(cmd.Context(), st, m, args[0])
			if err != nil {
				return err
			}
			err = st.RevokeFeed(cmd.Context(), operator(m), c.ID)
			if errors.Is(err, store.ErrNotFound) {
				return usage("%s has no feed", c.Slug)
			} else if err != nil {
				return fmt.Errorf("revoke the feed: %w", err)
			}
			return nil
		}),
	}
}
