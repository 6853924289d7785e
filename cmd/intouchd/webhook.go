package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"intouch/scheduler"
	"intouch/store"
)

// webhookCommand keeps the addresses of other programs that are told what
// happens.
func (p *program) webhookCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "webhook",
		Short: "Addresses that are told what happens: add, list, remove, test, enable",
		Long: "A webhook is an address of another program to which each event is posted as JSON, signed as Standard Webhooks says\n" +
			"(standardwebhooks.com). The events: " + strings.Join(eventNames(store.EventTypes), ", ") + ".\n" +
			"What is not taken (2xx) is sent again for up to two days. A WEBHOOK is given by its number or address.",
	}, p.webhookAdd(), p.webhookList(), p.webhookRemove(), p.webhookTest(), p.webhookEnable())
}

func eventNames(events []store.EventType) (out []string) {
	for _, e := range events {
		out = append(out, string(e))
	}
	return out
}

// webhookNamed finds the webhook of the command line.
func webhookNamed(ctx context.Context, st *store.Store, name string) (store.Webhook, error) {
	all, err := st.Webhooks(ctx)
	if err != nil {
		return store.Webhook{}, fmt.Errorf("read the webhooks: %w", err)
	}
	i := slices.IndexFunc(all, func(w store.Webhook) bool { return w.URL == name || strconv.FormatInt(w.ID, 10) == name })
	if i < 0 {
		return store.Webhook{}, usage("there is no webhook %q; see intouchd webhook list", name)
	}
	return all[i], nil
}

func (p *program) webhookAdd() *cobra.Command {
	var names []string
	cmd := &cobra.Command{
		Use:   "add URL",
		Short: "Add an address, and print the secret that signs, this once",
		Long: "URL begins with https://, or names this machine itself (http://127.0.0.1:3000/hook). Redirects are not followed, and a name\n" +
			"that leads into our own network is refused, unless webhooks.private_addresses in the settings allows it.\n" +
			"The secret is printed now and never again: the receiver checks the signature by it.",
		Args: takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var events []store.EventType
			for _, name := range names {
				e, err := store.ParseEventType(name)
				if err != nil {
					return usage("webhook add: %v", err)
				}
				events = append(events, e)
			}
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			w, secret, err := st.AddWebhook(cmd.Context(), args[0], events)
			var bad *store.Invalid
			switch {
			case errors.As(err, &bad):
				return usage("webhook add: %v", bad)
			case errors.Is(err, store.ErrConflict):
				return fmt.Errorf("webhook add: this address is a webhook already")
			case err != nil:
				return fmt.Errorf("add the webhook: %w", err)
			}
			fmt.Fprintf(p.err, "webhook %d is told of: %s\nits secret is shown this once\n", w.ID, strings.Join(eventNames(w.Events), ", "))
			fmt.Fprintln(p.out, secret)
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&names, "events", nil, "`EVENTS` with commas between (default: all)")
	return cmd
}

func (p *program) webhookList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Print the webhooks, and how each is doing",
		Args:  takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			all, err := st.Webhooks(cmd.Context())
			if err != nil {
				return fmt.Errorf("read the webhooks: %w", err)
			}
			w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "NUMBER\tSTATE\tSENT\tWAITING\tGIVEN UP\tLAST SENT\tURL\tEVENTS\tLAST ERROR")
			for _, one := range all {
				state, last := "good", ""
				switch {
				case !one.Disabled.IsZero():
					state = "disabled"
				case one.Troubles > 0:
					state = "no answer"
				case one.LastError != "":
					state = "refuses"
				}
				if !one.LastSent.IsZero() {
					last = one.LastSent.Format(time.RFC3339)
				}
				events := strings.Join(eventNames(one.Events), ",")
				if len(one.Events) == len(store.EventTypes) {
					events = "all"
				}
				fmt.Fprintf(w, "%d\t%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\n", one.ID, state, one.Sent, one.Waiting, one.Failed, last, one.URL, events, oneLine(one.LastError))
			}
			return w.Flush()
		},
	}
}

func (p *program) webhookRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "remove WEBHOOK",
		Short: "Remove a webhook, and what waits for it",
		Args:  takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withWebhook(cmd, args[0], func(st *store.Store, w store.Webhook) error {
				if err := st.RemoveWebhook(cmd.Context(), w.ID); err != nil {
					return fmt.Errorf("remove the webhook: %w", err)
				}
				fmt.Fprintf(p.err, "webhook %d is removed\n", w.ID)
				return nil
			})
		},
	}
}

func (p *program) webhookEnable() *cobra.Command {
	return &cobra.Command{
		Use:   "enable WEBHOOK",
		Short: "Tell a disabled webhook again; try one that did not answer now",
		Args:  takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withWebhook(cmd, args[0], func(st *store.Store, w store.Webhook) error {
				if err := st.EnableWebhook(cmd.Context(), w.ID); err != nil {
					return fmt.Errorf("enable the webhook: %w", err)
				}
				fmt.Fprintf(p.err, "webhook %d is told from now on\n", w.ID)
				return nil
			})
		},
	}
}

func (p *program) withWebhook(cmd *cobra.Command, name string, do func(*store.Store, store.Webhook) error) error {
	_, st, err := p.open(cmd.Context())
	if err != nil {
		return err
	}
	defer st.Close()
	w, err := webhookNamed(cmd.Context(), st, name)
	if err != nil {
		return err
	}
	return do(st, w)
}

func (p *program) webhookTest() *cobra.Command {
	return &cobra.Command{
		Use:   "test WEBHOOK",
		Short: "Send it an event webhook.test now, and say what it answered",
		Args:  takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := p.config()
			if err != nil {
				return err
			}
			return p.withWebhook(cmd, args[0], func(st *store.Store, w store.Webhook) error {
				now := st.Now()
				id := fmt.Sprintf("evt_test_%d", now.Unix())
				body, err := json.Marshal(map[string]any{"id": id, "type": store.WebhookTest, "occurred": now.Format(time.RFC3339), "subject": nil, "data": map[string]any{}})
				if err != nil {
					return err
				}
				if err := scheduler.NewWebhookSender(cfg.PrivateWebhooks, version).Send(cmd.Context(), &w, id, body, now); err != nil {
					u, _ := url.Parse(w.URL) // it was checked as it was added
					return fmt.Errorf("webhook %d at %s: %w", w.ID, u.Host, err)
				}
				fmt.Fprintf(p.err, "webhook %d took the event\n", w.ID)
				return nil
			})
		},
	}
}
