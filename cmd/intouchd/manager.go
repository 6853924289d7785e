package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"intouch/caldav"
	"intouch/store"
)

func (p *program) managerCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "manager",
		Short: "People: add, list, password, app-password, calendars, reminders",
	}, p.managerAdd(), p.managerList(), p.managerPassword(), p.appPasswordCommand(), p.managerCalendars(), p.managerReminders())
}

func (p *program) managerAdd() *cobra.Command {
	var row store.ManagerRow
	cmd := &cobra.Command{
		Use:   "add LOGIN",
		Short: "Add a manager, or change one; the password comes from stdin",
		Args:  takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			row.Login = args[0]
			cfg, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			if _, err := st.ManagerByLogin(cmd.Context(), row.Login); errors.Is(err, store.ErrNotFound) {
				row.TimeZone = cmp.Or(row.TimeZone, cfg.TimeZone)
				row.Language = cmp.Or(row.Language, string(cfg.Language))
			}
			password, err := p.readPassword("Password for " + row.Login + " (empty: none yet): ")
			if err != nil {
				return err
			}
			return addManager(cmd.Context(), st, row, password, p.err)
		},
	}
	f := cmd.Flags()
	f.StringVar(&row.Name, "name", "", "the name as people write it")
	f.StringSliceVar(&row.Emails, "email", nil, "own address; the first one gets the digests (repeatable)")
	f.StringVar(&row.Role, "role", "", "manager, or head, who also sees the team's")
	f.StringVar(&row.TimeZone, "time-zone", "", "zone like Asia/Yekaterinburg (default: the settings')")
	f.StringVar(&row.Language, "language", "", "ru or en (default: the settings')")
	f.StringVar(&row.WorkHours, "work-hours", "", "own working hours like 10:00-19:00 or \"tue-sat 10:00-19:00\"; \"house\" for the settings'")
	f.StringVar(&row.ID, "id", "", "key in another system")
	return cmd
}

// addManager saves a manager; a refused value is wrong usage.
func addManager(ctx context.Context, st *store.Store, row store.ManagerRow, password string, messages io.Writer) error {
	m, change, err := st.SaveManager(ctx, store.Actor{Origin: store.FromImport}, row)
	var bad *store.Invalid
	if errors.As(err, &bad) {
		return usage("%v", bad)
	} else if err != nil {
		return fmt.Errorf("save the manager: %w", err)
	}
	if password != "" {
		if err := setPassword(ctx, st, m, password); err != nil {
			return err
		}
	}
	fmt.Fprintf(messages, "%s: %s\n", m.Login, change)
	if password == "" && change == store.RowNew {
		fmt.Fprintf(messages, "no password yet: give one with \"intouchd manager password %s\"\n", m.Login)
	}
	return nil
}

func (p *program) managerPassword() *cobra.Command {
	return &cobra.Command{
		Use:   "password LOGIN",
		Short: "Replace a password; it comes from stdin",
		Args:  takes(cobra.ExactArgs(1)),
		RunE: p.ofManager(func(cmd *cobra.Command, _ *Config, st *store.Store, m store.Manager, _ []string) error {
			password, err := p.readPassword("New password for " + m.Login + ": ")
			if err != nil {
				return err
			}
			return setPassword(cmd.Context(), st, m, password)
		}),
	}
}

func setPassword(ctx context.Context, st *store.Store, m store.Manager, password string) error {
	err := st.SetPassword(ctx, m.ID, password)
	var bad *store.Invalid
	if errors.As(err, &bad) {
		return usage("%v", bad)
	} else if err != nil {
		return fmt.Errorf("set the password of %s: %w", m.Login, err)
	}
	return nil
}

func (p *program) managerList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the managers",
		Args:  takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			managers, err := st.Managers(cmd.Context())
			if err != nil {
				return fmt.Errorf("read the managers: %w", err)
			}
			w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "LOGIN\tROLE\tNAME\tEMAILS\tTIME ZONE\tLANGUAGE")
			for _, m := range managers {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", m.Login, m.Role, m.Name, strings.Join(m.Emails, " "), m.TimeZone, m.Language)
			}
			return w.Flush()
		},
	}
}

func (p *program) managerCalendars() *cobra.Command {
	return &cobra.Command{
		Use:   "calendars LOGIN",
		Short: "Print the addresses of a manager's calendars and address book",
		Args:  takes(cobra.ExactArgs(1)),
		RunE: p.ofManager(func(cmd *cobra.Command, cfg *Config, st *store.Store, m store.Manager, _ []string) error {
			collections, err := st.Collections(cmd.Context(), m.ID)
			if err != nil {
				return fmt.Errorf("read the calendars of %s: %w", m.Login, err)
			}
			// What programs ask for first, for calendars and address books: they
			// find the rest themselves.
			fmt.Fprintf(p.out, "%s/dav/\n", cfg.Server.PublicURL)
			w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			for _, c := range collections {
				fmt.Fprintf(w, "%s%s\t%s\t%s\n", cfg.Server.PublicURL, caldav.CalendarPath(m.Login, c.Slug), c.Name, c.Color)
			}
			for _, book := range store.BooksOf(&m) {
				fmt.Fprintf(w, "%s%s\t%s\t\n", cfg.Server.PublicURL, caldav.BookPath(m.Login, book), caldav.BookName(&m, book))
			}
			return w.Flush()
		}),
	}
}

// managerNamed finds a manager by the login on a command line.
// ofManager runs a command whose first argument is a manager's login.
func (p *program) ofManager(run func(cmd *cobra.Command, cfg *Config, st *store.Store, m store.Manager, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, st, err := p.open(cmd.Context())
		if err != nil {
			return err
		}
		defer st.Close()
		m, err := managerNamed(cmd.Context(), st, args[0])
		if err != nil {
			return err
		}
		return run(cmd, cfg, st, m, args[1:])
	}
}

func managerNamed(ctx context.Context, st *store.Store, login string) (store.Manager, error) {
	m, err := st.ManagerByLogin(ctx, login)
	if errors.Is(err, store.ErrNotFound) {
		return m, usage("there is no manager %q; see intouchd manager list", login)
	} else if err != nil {
		return m, fmt.Errorf("read manager %s: %w", login, err)
	}
	return m, nil
}

// readPassword takes one line of stdin; on a terminal it asks, without echo.
func (p *program) readPassword(prompt string) (string, error) {
	return p.readPasswordFrom(bufio.NewReader(io.LimitReader(p.in, 4096)), prompt)
}

// readPasswordFrom does so where lines were read from stdin before, by in.
func (p *program) readPasswordFrom(in *bufio.Reader, prompt string) (string, error) {
	if f, ok := p.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(p.err, prompt)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(p.err)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return string(b), nil
	}
	line, err := in.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}
