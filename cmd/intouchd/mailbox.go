package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"intouch/mailsync"
	"intouch/oauth"
	"intouch/store"
)

func (p *program) mailboxCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mailbox",
		Short: "Mailboxes: login",
		Args:  cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("mailbox: there is no command %q; there is login", args[0])
			}
			return usage("mailbox: give login")
		},
	}
	cmd.AddCommand(p.mailboxLogin())
	return cmd
}

// loginFlow is how a person consents.
type loginFlow struct {
	flow  string // "device", "browser"; "" as the provider has it
	paste bool
	port  int
}

// pastePort is where the browser is sent, in vain, when its address is to be
// pasted.
const pastePort = 8400

// browserTime is how long a login by browser is waited for.
const browserTime = 15 * time.Minute

func (p *program) mailboxLogin() *cobra.Command {
	var how loginFlow
	cmd := &cobra.Command{
		Use:   "login NAME",
		Short: "Log in to a mailbox that has oauth2 in the settings",
		Long: "Asks the provider of a mailbox (oauth2 in the settings) for its consent, stores what it gives, and tries it.\n" +
			"By \"device\" you open an address on any device and enter a code; by \"browser\" you consent in a browser on this\n" +
			"machine, or on another one with --paste. Without --flow it is what the provider offers: Microsoft and most others\n" +
			"a device code, Google, whose device codes are not for Gmail, a browser. It may run beside serve, which takes the\n" +
			"new login up by itself within some minutes.",
		Args: takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := p.config()
			if err != nil {
				return err
			}
			i := slices.IndexFunc(cfg.Mailboxes, func(m MailboxConfig) bool { return m.Name == args[0] })
			if i < 0 {
				return usage("mailbox login: there is no mailbox %q in the settings", args[0])
			}
			m := &cfg.Mailboxes[i]
			if m.OAuth == nil {
				return usage("mailbox login: mailbox %s has a password in the settings, not oauth2", m.Name)
			}
			if err := how.check(m); err != nil {
				return err
			}
			st, err := openStore(cmd.Context(), cfg, newLog(cfg.Log, p.err))
			if err != nil {
				return err
			}
			defer st.Close()
			if login := cfg.Mailboxes[i].Manager; login != "" {
				if _, err := managerNamed(cmd.Context(), st, login); err != nil {
					return err
				}
			}
			if err := saveMailboxes(cmd.Context(), st, cfg.Mailboxes[i:i+1]); err != nil {
				return err
			}
			return p.loginMailbox(cmd.Context(), st, cfg, m, how)
		},
	}
	f := cmd.Flags()
	f.StringVar(&how.flow, "flow", "", "\"device\" or \"browser\" (default: what the provider offers)")
	f.BoolVar(&how.paste, "paste", false, "the browser is on another machine: the address where it ends is read from stdin")
	f.IntVar(&how.port, "port", 0, "`PORT` of this machine to which the browser is sent (default: a free one; with --paste "+strconv.Itoa(pastePort)+")")
	return cmd
}

// check chooses the flow and refuses one that cannot be.
func (how *loginFlow) check(m *MailboxConfig) error {
	c := m.client()
	switch {
	case how.flow != "" && how.flow != "device" && how.flow != "browser":
		return usage("mailbox login: --flow %q is neither device nor browser", how.flow)
	case how.flow == "device" && how.paste:
		return usage("mailbox login: --paste is of the browser's flow")
	case how.port < 0 || how.port > 65535:
		return usage("mailbox login: --port %d is no port", how.port)
	case how.flow == "" && (how.paste || m.OAuth.Provider == "google" || c.DeviceURL == ""):
		how.flow = "browser"
	case how.flow == "":
		how.flow = "device"
	}
	if how.flow == "device" && c.DeviceURL == "" {
		return usage("mailbox login: the settings of mailbox %s have no device_url", m.Name)
	}
	if how.flow == "browser" && c.AuthURL == "" {
		return usage("mailbox login: the settings of mailbox %s have no auth_url", m.Name)
	}
	return nil
}

// loginMailbox logs in, stores the token and tries it.
func (p *program) loginMailbox(ctx context.Context, st *store.Store, cfg *Config, m *MailboxConfig, how loginFlow) error {
	client := m.client()
	var got oauth.Token
	var err error
	switch {
	case how.flow == "device":
		got, err = client.Device(ctx, func(prompt oauth.Prompt) { p.showPrompt(m, prompt) })
		if err != nil && m.OAuth.Provider == "google" {
			err = fmt.Errorf("%w; Google's device codes are not for Gmail: try --flow browser", err)
		}
	case how.paste:
		got, err = p.pasteLogin(ctx, m, client, how.port)
	default:
		got, err = p.browserLogin(ctx, m, client, how.port)
	}
	if err != nil {
		return err
	}
	// What the person has consented to is kept, whatever comes now.
	if err := st.SaveToken(context.WithoutCancel(ctx), m.Name, issuer(client), kept(st, got)); err != nil {
		return fmt.Errorf("store the login: %w", err)
	}
	fmt.Fprintf(p.err, "%s: the login is stored\n", m.Name)
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	for _, box := range mailboxes(cfg, st) {
		if box.Name != m.Name {
			continue
		}
		if err := mailsync.CheckLogin(ctx, box); err != nil {
			return fmt.Errorf("the login is stored, but mailbox %s cannot be read with it: %w", m.Name, err)
		}
	}
	fmt.Fprintf(p.err, "%s: the mail server takes it\n", m.Name)
	return nil
}

func (p *program) showPrompt(m *MailboxConfig, prompt oauth.Prompt) {
	fmt.Fprintf(p.err, "Open this address on any device, log in as %s and enter the code:\n\n    %s\n    %s\n\n", m.Username, prompt.URL, prompt.Code)
	if prompt.CompleteURL != "" {
		fmt.Fprintf(p.err, "or open this one, which has the code in it:\n\n    %s\n\n", prompt.CompleteURL)
	}
	until := ""
	if prompt.Expires > 0 {
		until = fmt.Sprintf(" (the code is good for %v)", prompt.Expires)
	}
	fmt.Fprintf(p.err, "Waiting for the consent%s …\n", until)
}

func (p *program) browserLogin(ctx context.Context, m *MailboxConfig, client *oauth.Config, port int) (oauth.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, browserTime)
	defer cancel()
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return oauth.Token{}, fmt.Errorf("listen for the browser: %w", err)
	}
	consent := client.NewConsent(ln.Addr().(*net.TCPAddr).Port)
	fmt.Fprintf(p.err, "Open this address in a browser on this machine, log in as %s and consent:\n\n    %s\n\n", m.Username, consent.URL)
	fmt.Fprintf(p.err, "Waiting for the browser at %s … (is it on another machine? Then stop this and add --paste)\n", ln.Addr())
	return consent.Wait(ctx, ln)
}

func (p *program) pasteLogin(ctx context.Context, m *MailboxConfig, client *oauth.Config, port int) (oauth.Token, error) {
	if port == 0 {
		port = pastePort
	}
	consent := client.NewConsent(port)
	fmt.Fprintf(p.err, "Open this address in a browser, log in as %s and consent:\n\n    %s\n\n", m.Username, consent.URL)
	fmt.Fprintf(p.err, "The browser ends at a page that it cannot load. Paste the address of that page here:\n")
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() { // reading a terminal ends with the process at the latest
		text, err := bufio.NewReader(io.LimitReader(p.in, 32<<10)).ReadString('\n')
		if err == io.EOF && strings.TrimSpace(text) != "" {
			err = nil
		}
		read <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		return oauth.Token{}, ctx.Err()
	case l := <-read:
		if l.err != nil {
			return oauth.Token{}, fmt.Errorf("read the address: %w", l.err)
		}
		return consent.Paste(ctx, l.text)
	}
}
