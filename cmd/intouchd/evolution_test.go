//go:build evolution

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"intouch/mailsync/mailtest"
)

// TestEvolution: the backends of Evolution and GNOME Calendar, without their
// windows, hold the calendars, write, move, prioritise, delete and tick off.
// They bring 250 MB of packages with them: only `make interop` runs this.
func TestEvolution(t *testing.T) {
	const python = "/usr/bin/python3"
	session, _ := exec.LookPath("dbus-run-session")
	if err := exec.Command(python, "-c", "import gi; gi.require_version('ECal', '2.0'); from gi.repository import ECal").Run(); err != nil || session == "" {
		mailtest.Missing(t, "Evolution's data server is not here (Debian: apt-get install evolution-data-server gir1.2-ecal-2.0 gir1.2-edataserver-1.2 python3-gi dbus)")
	}
	demo := startDemo(t)
	dir := t.TempDir()
	cmd := exec.Command(session, "--", python, "testdata/evolution_peer.py", demo.info["caldav"]+"calendars/james/", "james", demo.info["password"])
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+dir, "XDG_RUNTIME_DIR="+dir, "XDG_CONFIG_HOME="+filepath.Join(dir, "config"),
		"XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "XDG_DATA_HOME="+filepath.Join(dir, "data"))
	expectFromPeer(t, demo, cmd)
	demo.end(t)
}
