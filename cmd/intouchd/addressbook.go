package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"intouch/exchange"
	"intouch/scheduler"
	"intouch/store"
)

// AddressBookConfig is one [[addressbook]]: a login at a CardDAV server whose
// persons are brought in by the job addressbooks.
type AddressBookConfig struct {
	Name        string
	URL         string
	Username    string
	Password    Secret
	Manager     string // login of whose books these are; "": nobody's own
	MakeClients bool
}

func (c *reading) addressBooks(root *table) {
	names := unique{}
	for _, t := range root.list("addressbook") {
		b := AddressBookConfig{
			Name:        t.required("name", "logs and the status page show it"),
			URL:         t.required("url", "an address like https://cards.vector.test/"),
			Username:    t.required("username", "the server asks for it"),
			Password:    c.secret(t, true),
			Manager:     t.text("manager", ""),
			MakeClients: t.flag("make_clients", false),
		}
		if b.Name != "" {
			names.check(t, "name", b.Name)
		}
		if b.URL != "" {
			if err := exchange.CheckCardServer(b.URL); err != nil {
				t.fault("url", "%v", err)
			}
		}
		c.cfg.AddressBooks = append(c.cfg.AddressBooks, b)
	}
}

func (b *AddressBookConfig) server() *exchange.CardServer {
	return &exchange.CardServer{URL: b.URL, Username: b.Username, Password: b.Password.Reveal}
}

// check logs in and looks for books.
func (b *AddressBookConfig) check(ctx context.Context) error {
	_, err := b.server().Books(ctx)
	return err
}

// options of an import of one of its books.
func (b *AddressBookConfig) options(ctx context.Context, st *store.Store) (exchange.BookOptions, error) {
	opt := exchange.BookOptions{Actor: store.Actor{Origin: store.FromImport}, BookOptions: store.BookOptions{MakeClients: b.MakeClients}}
	if b.Manager == "" {
		return opt, nil
	}
	who, err := st.ManagerByLogin(ctx, b.Manager)
	if errors.Is(err, store.ErrNotFound) {
		return opt, fmt.Errorf("there is no manager %q", b.Manager)
	}
	opt.ManagerID = who.ID
	return opt, err
}

// bookSync brings in what has changed in the address books of the settings;
// nil where they name none. One that fails holds up no other.
func bookSync(st *store.Store, books []AddressBookConfig) scheduler.Chore {
	if len(books) == 0 {
		return nil
	}
	return func(ctx context.Context) (string, error) {
		var said, failed []string
		for _, b := range books {
			text, err := b.sync(ctx, st)
			if text != "" {
				said = append(said, b.Name+": "+text)
			}
			if err != nil {
				failed = append(failed, fmt.Sprintf("%s: %v", b.Name, err))
			}
		}
		if len(failed) > 0 {
			return strings.Join(said, "; "), errors.New(strings.Join(failed, "; "))
		}
		return strings.Join(said, "; "), nil
	}
}

// sync takes the changes of all books of one login; text is "" where there are
// none.
func (b *AddressBookConfig) sync(ctx context.Context, st *store.Store) (text string, err error) {
	opt, err := b.options(ctx, st)
	if err != nil {
		return "", err
	}
	books, err := b.server().Books(ctx)
	if err != nil {
		return "", err
	}
	var sum exchange.BookSummary
	for _, book := range books {
		one, bookErr := exchange.ImportCardBook(ctx, st, opt, book, false)
		sum.New, sum.Changed, sum.Offered, sum.Refused = sum.New+one.New, sum.Changed+one.Changed, sum.Offered+one.Offered, sum.Refused+one.Refused
		sum.Faults = append(sum.Faults, one.Faults...)
		if bookErr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", book.URL, bookErr))
		}
	}
	if sum.New+sum.Changed+sum.Offered+sum.Refused == 0 {
		return "", err
	}
	text = fmt.Sprintf("%d new, %d changed, %d offered, %d refused", sum.New, sum.Changed, sum.Offered, sum.Refused)
	if len(sum.Faults) > 0 {
		text += fmt.Sprintf(" (%v)", sum.Faults[0])
	}
	return text, err
}

// importCardDAV is "import carddav": the whole of a login's books, by hand.
func (p *program) importCardDAV() *cobra.Command {
	flags := bookFlags{}
	username, password := "", Secret{key: "password"}
	cmd := &cobra.Command{
		Use:   "carddav URL",
		Short: "Persons from the address books of a CardDAV server; the password comes from stdin",
		Long: `Takes all cards of the address books that a login has on a CardDAV server (Nextcloud, Radicale, iCloud, Fastmail, …) as "import vcard"
takes them from files. URL is the address of the server, of the user there, or of one book. The password is read from stdin, or from
--password-file, or from the variable that --password-env names. TLS is required, except on this machine.

To have a book followed, name it as [[addressbook]] in the settings: then "serve" brings in what has changed, and only that travels.
A card that is deleted there deletes nobody here.`,
		Args: takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := exchange.CheckCardServer(args[0]); err != nil {
				return usage("import carddav: the URL: %v", err)
			}
			if username == "" {
				return usage("import carddav: --username is missing")
			}
			if password.file != "" && password.env != "" {
				return usage("import carddav: give one of --password-file and --password-env")
			}
			server := exchange.CardServer{URL: args[0], Username: username, Password: password.Reveal}
			if password.file == "" && password.env == "" {
				text, err := p.readPassword("Password of " + username + ": ")
				if err != nil {
					return err
				}
				server.Password = func() (string, error) { return text, nil }
			}
			return p.importCardServer(cmd.Context(), &server, flags)
		},
	}
	f := cmd.Flags()
	f.StringVar(&username, "username", "", "the `NAME` to log in with")
	f.StringVar(&password.file, "password-file", "", "the `FILE` with the password")
	f.StringVar(&password.env, "password-env", "", "the `NAME` of the environment's variable with the password")
	f.StringVar(&flags.manager, "manager", "", "the `LOGIN` of whose books these are")
	f.BoolVar(&flags.makeClients, "make-clients", false, "make clients of organisations that are none yet")
	f.BoolVar(&flags.dry, "dry-run", false, "only say what would be done")
	return cmd
}

func (p *program) importCardServer(ctx context.Context, server *exchange.CardServer, flags bookFlags) error {
	_, st, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	opt, err := flags.options(ctx, st, "")
	if err != nil {
		return err
	}
	books, err := server.Books(ctx)
	if err != nil {
		return fmt.Errorf("import carddav: %w", err)
	}
	nothing := false
	for _, book := range books {
		opt.Name = book.URL
		shown := newProgress(p.err, "cards")
		opt.Progress = func(done int, _ int64) { shown.at(opt.Name, done, 0) }
		sum, err := exchange.ImportCardBook(ctx, st, opt, book, true)
		if err := p.bookReport(ctx, st, opt, sum, err, shown); err != nil {
			return err
		}
		nothing = nothing || sum.Refused > 0 && sum.Refused == sum.Entries()
	}
	if nothing {
		return errReported
	}
	return nil
}
