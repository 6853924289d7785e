package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"intouch/exchange"
	"intouch/store"
)

// clientsPage is how many clients are read at once: a list of any length takes
// the memory of one page.
const clientsPage = 500

// clientsCommand lists clients by what is known of them.
func (p *program) clientsCommand() *cobra.Command {
	var where []string
	format := "text"
	list := func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 || len(args) == 1 && args[0] != "list" {
			return usage("clients: there is no command %q; there is list", args[0])
		}
		if !slices.Contains([]string{"text", "csv", "jsonl"}, format) {
			return usage("clients: unknown format %q: it is one of text, csv, jsonl", format)
		}
		cfg, st, err := p.open(cmd.Context())
		if err != nil {
			return err
		}
		defer st.Close()
		loc, err := time.LoadLocation(cfg.TimeZone)
		if err != nil {
			return err
		}
		sel, err := store.ParseSelection(strings.Join(where, "\n"), store.DateOf(st.Now(), loc))
		if err != nil {
			return usage("clients: --where: %v", err)
		}
		out := newClientList(format, p.out, loc)
		// The command line sees what a head sees.
		head, after := store.Manager{Role: store.RoleHead}, int64(0)
		for more := true; more; {
			var page []store.SelectedClient
			page, more, err = st.SelectClients(cmd.Context(), head, sel, loc, after, clientsPage)
			var bad *store.Invalid
			switch {
			case errors.As(err, &bad):
				return usage("clients: --where: %v", bad)
			case err != nil:
				return fmt.Errorf("read the clients: %w", err)
			}
			for i := range page {
				if err := out.write(&page[i]); err != nil {
					return err
				}
				after = page[i].ID
			}
		}
		return out.end()
	}
	cmd := &cobra.Command{
		Use:   "clients [list]",
		Short: "List clients by class, stage, attributes, importance, manager or last contact",
		Long: "Lists clients by name. --where takes conditions KEY=VALUE, separated by commas:\n" +
			"  abc=A              A, B, C or none\n" +
			"  stage=lost         potential, one-off, regular, lost or none\n" +
			"  xyz=X              X, Y, Z or none\n" +
			"  importance=high    high, normal, low\n" +
			"  manager=anna       a login, or none\n" +
			"  name=coffee        a part of the name\n" +
			"  attribute segment=horeca\n" +
			"  last-contact-before=2026-10-01, or 30d for that many days ago; clients without any are among them\n" +
			"All must hold; the same key again gives another value that suffices. A value with a comma stands in double quotes.",
		Args: cobra.ArbitraryArgs,
		RunE: list,
	}
	cmd.Flags().StringArrayVar(&where, "where", nil, "`CONDITIONS`, as above (repeatable)")
	cmd.Flags().StringVar(&format, "format", format, "`FORMAT`: text, csv or jsonl")
	return cmd
}

// clientList writes clients as text, CSV or JSONL.
type clientList struct {
	loc   *time.Location
	write func(*store.SelectedClient) error
	end   func() error
}

var clientColumns = []string{"id", "name", "importance", "abc", "xyz", "stage", "manager", "last_contact", "emails", "phones", "attributes"}

func newClientList(format string, w io.Writer, loc *time.Location) *clientList {
	l := &clientList{loc: loc}
	switch format {
	case "csv":
		out := csv.NewWriter(w)
		err := out.Write(clientColumns)
		l.write = func(c *store.SelectedClient) error {
			attributes, jsonErr := json.Marshal(c.Attributes)
			cells := []string{c.ExternalID, c.Name, string(c.Importance), c.ABC, c.XYZ, c.Stage, c.Manager, l.day(c.LastContact),
				strings.Join(c.Emails, " "), strings.Join(c.Phones, ", "), string(attributes)}
			for i := range cells {
				cells[i] = exchange.Guard(cells[i])
			}
			return errors.Join(err, jsonErr, out.Write(cells))
		}
		l.end = func() error { out.Flush(); return errors.Join(err, out.Error()) }
	case "jsonl":
		out := json.NewEncoder(w)
		out.SetEscapeHTML(false)
		l.write = func(c *store.SelectedClient) error {
			last := ""
			if !c.LastContact.IsZero() {
				last = c.LastContact.UTC().Format(time.RFC3339)
			}
			return out.Encode(struct {
				ID          string            `json:"id"`
				Name        string            `json:"name"`
				Importance  store.Importance  `json:"importance"`
				ABC         string            `json:"abc"`
				XYZ         string            `json:"xyz"`
				Stage       string            `json:"stage"`
				Manager     string            `json:"manager"`
				LastContact string            `json:"last_contact"`
				Emails      []string          `json:"emails"`
				Phones      []string          `json:"phones"`
				Attributes  map[string]string `json:"attributes"`
			}{c.ExternalID, c.Name, c.Importance, c.ABC, c.XYZ, c.Stage, c.Manager, last, append([]string{}, c.Emails...), append([]string{}, c.Phones...), c.Attributes})
		}
		l.end = func() error { return nil }
	default:
		out := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		fmt.Fprintln(out, "ID\tNAME\tIMPORTANCE\tCLASS\tSTAGE\tMANAGER\tLAST CONTACT")
		lines := 0
		l.write = func(c *store.SelectedClient) error {
			_, err := fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", dash(c.ExternalID), c.Name, c.Importance, dash(c.ABC+c.XYZ), dash(c.Stage), dash(c.Manager), dash(l.day(c.LastContact)))
			if lines++; err == nil && lines%clientsPage == 0 { // tabwriter keeps what it has not flushed
				err = out.Flush()
			}
			return err
		}
		l.end = out.Flush
	}
	return l
}

func (l *clientList) day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return string(store.DateOf(t, l.loc))
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
