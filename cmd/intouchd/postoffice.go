package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-smtp"
)

// postOffice is the demo's mail: an IMAP server with the managers' mailboxes
// and an SMTP server that takes what Intouch sends, both in this process and
// on loopback.
//
// Letters live as files under dir, one directory for each folder, and are read
// in the order of their names. The IMAP server numbers letters and folders as
// it gets them, so after a restart every letter has the UID that it had.
type postOffice struct {
	dir      string // mailboxes/LOGIN/FOLDER/000001.eml
	outgoing string // what Intouch sent
	password string

	imap     *imapserver.Server
	smtp     *smtp.Server
	imapAddr string
	smtpAddr string

	mu      sync.Mutex
	users   map[string]*imapmemserver.User // by login
	login   map[string]string              // address → login
	last    map[string]int                 // "LOGIN/FOLDER" → number of the last letter
	sent    int
	arrived func(to, file string) // told of each mail that Intouch sent
}

// demoFolders are the folders of each mailbox, in the order that fixes their
// UIDVALIDITY. The server in memory has no special uses, so Sent is a name.
var demoFolders = []string{"INBOX", "Sent"}

// openPostOffice reads the mailboxes of the people (login → addresses) and
// starts both servers. The ports of the last time are taken again where they
// are free.
func openPostOffice(dir string, people map[string][]string, password, imapAddr, smtpAddr string) (*postOffice, error) {
	po := &postOffice{
		dir:      filepath.Join(dir, "mailboxes"),
		outgoing: filepath.Join(dir, "mail"),
		password: password,
		users:    map[string]*imapmemserver.User{},
		login:    map[string]string{},
		last:     map[string]int{},
	}
	if err := os.MkdirAll(po.outgoing, 0o700); err != nil {
		return nil, err
	}
	server := imapmemserver.New()
	for login, addresses := range people {
		user := imapmemserver.NewUser(login, password)
		for _, folder := range demoFolders {
			if err := user.Create(folder, nil); err != nil {
				return nil, fmt.Errorf("make folder %s of %s: %w", folder, login, err)
			}
			if err := po.load(user, login, folder); err != nil {
				return nil, fmt.Errorf("read folder %s of %s: %w", folder, login, err)
			}
		}
		server.AddUser(user)
		po.users[login] = user
		for _, a := range addresses {
			po.login[a] = login
		}
	}
	silent := log.New(io.Discard, "", 0)
	po.imap = imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return server.NewSession(), nil, nil
		},
		Caps:         imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapIMAP4rev2: {}},
		InsecureAuth: true, // loopback
		Logger:       silent,
	})
	po.smtp = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &delivery{office: po}, nil
	}))
	po.smtp.Domain = "localhost"
	po.smtp.MaxMessageBytes = 8 << 20
	po.smtp.ReadTimeout, po.smtp.WriteTimeout = time.Minute, time.Minute
	po.smtp.ErrorLog = silent

	imapListener, err := listenAgain(imapAddr)
	if err != nil {
		return nil, fmt.Errorf("listen for IMAP: %w", err)
	}
	smtpListener, err := listenAgain(smtpAddr)
	if err != nil {
		imapListener.Close()
		return nil, fmt.Errorf("listen for SMTP: %w", err)
	}
	po.imapAddr, po.smtpAddr = imapListener.Addr().String(), smtpListener.Addr().String()
	go po.imap.Serve(imapListener)
	go po.smtp.Serve(smtpListener)
	return po, nil
}

// Close stops both servers.
func (po *postOffice) Close() error {
	return errors.Join(po.smtp.Close(), po.imap.Close())
}

// listenAgain takes the address, or where that is not free any port of
// loopback.
func listenAgain(addr string) (net.Listener, error) {
	if addr != "" {
		if l, err := net.Listen("tcp", addr); err == nil {
			return l, nil
		}
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// load puts the letters of a folder's files into the server.
func (po *postOffice) load(user *imapmemserver.User, login, folder string) error {
	dir := filepath.Join(po.dir, login, folder)
	entries, err := os.ReadDir(dir) // by name
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".eml") {
			continue
		}
		letter, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		if err := appendLetter(user, folder, letter); err != nil {
			return err
		}
		po.last[login+"/"+folder]++
	}
	return nil
}

// Put brings a letter into a folder: first the file, then the server.
func (po *postOffice) Put(login, folder string, letter []byte) error {
	po.mu.Lock()
	defer po.mu.Unlock()
	user := po.users[login]
	if user == nil {
		return fmt.Errorf("nobody has the login %q", login)
	}
	if err := writeLetter(po.dir, login, folder, po.last[login+"/"+folder]+1, letter); err != nil {
		return err
	}
	po.last[login+"/"+folder]++
	return appendLetter(user, folder, letter)
}

// writeLetter writes the file of a letter as a whole or not at all.
func writeLetter(dir, login, folder string, number int, letter []byte) error {
	dir = filepath.Join(dir, login, folder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	name := filepath.Join(dir, fmt.Sprintf("%06d.eml", number))
	if err := os.WriteFile(name+".part", letter, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".part", name)
}

func appendLetter(user *imapmemserver.User, folder string, letter []byte) error {
	options := &imap.AppendOptions{}
	if m, err := mail.ReadMessage(bytes.NewReader(letter)); err == nil {
		options.Time, _ = m.Header.Date() // zero: now
	}
	if folder == "Sent" {
		options.Flags = []imap.Flag{imap.FlagSeen}
	}
	_, err := user.Append(folder, bytes.NewReader(letter), options)
	return err
}

// delivery is one SMTP connection: what comes is kept as a file and laid into
// the manager's mailbox.
type delivery struct {
	office *postOffice
	to     []string
}

func (d *delivery) Reset()                               { d.to = nil }
func (d *delivery) Logout() error                        { return nil }
func (d *delivery) Mail(string, *smtp.MailOptions) error { return nil }

func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error {
	if d.office.login[withoutPlus(to)] == "" {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "nobody of that address works here"}
	}
	d.to = append(d.to, withoutPlus(to))
	return nil
}

// withoutPlus is the address whose mailbox takes what is sent to that one.
func withoutPlus(address string) string {
	name, domain, _ := strings.Cut(strings.ToLower(address), "@")
	name, _, _ = strings.Cut(name, "+")
	return name + "@" + domain
}

func (d *delivery) Data(r io.Reader) error {
	letter, err := io.ReadAll(r) // bounded by MaxMessageBytes
	if err != nil {
		return err
	}
	for _, to := range d.to {
		if err := d.office.deliver(to, letter); err != nil {
			return err
		}
	}
	return nil
}

func (po *postOffice) deliver(to string, letter []byte) error {
	login := po.login[to]
	if login == demoReplies { // an answer to Intouch, not of it
		return po.Put(login, "INBOX", letter)
	}
	po.mu.Lock()
	po.sent++
	name := filepath.Join(po.outgoing, fmt.Sprintf("%s-%s-%d.eml", time.Now().Format("20060102-150405"), login, po.sent))
	po.mu.Unlock()
	if err := os.WriteFile(name, letter, 0o600); err != nil {
		return err
	}
	if err := po.Put(login, "INBOX", letter); err != nil {
		return err
	}
	if po.arrived != nil {
		po.arrived(to, name)
	}
	return nil
}

// delivered are the files of what Intouch sent, newest last.
func (po *postOffice) delivered() []string {
	names, _ := filepath.Glob(filepath.Join(po.outgoing, "*.eml"))
	slices.Sort(names)
	return names
}

// awaitPort waits until something answers on addr.
func awaitPort(ctx context.Context, addr string) error {
	for {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
