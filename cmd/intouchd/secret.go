package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// Secret is a password of the settings: given there, or in a file, or in a
// variable of the environment. Printing one shows nothing of it.
type Secret struct {
	key       string // "password"; with "_file" and "_env" the two other ways
	given     bool   // some way was named
	text      string
	file, env string
}

const hidden = "(hidden)"

func (Secret) String() string               { return hidden }
func (Secret) GoString() string             { return hidden }
func (Secret) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Reveal reads the secret. Files and the environment are read each time, so
// that a new password is taken without a restart.
func (s Secret) Reveal() (string, error) {
	switch {
	case s.file != "":
		// Not a *PathError: the name of the file is the operator's to see, and
		// is said by whoever reports this.
		b, err := readBounded(s.file, 64<<10)
		if err != nil {
			return "", fmt.Errorf("read %s_file: %w", s.key, err)
		}
		text := strings.TrimRight(string(b), "\r\n")
		if text == "" {
			return "", errors.New(s.key + "_file is empty")
		}
		return text, nil
	case s.env != "":
		text := os.Getenv(s.env)
		if text == "" {
			return "", fmt.Errorf("%s_env: the variable %s is not set", s.key, s.env)
		}
		return text, nil
	}
	return s.text, nil
}

// readBounded reads a small file; a larger one is an error.
func readBounded(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return os.ReadFile(name)
}

// secret reads the three ways to give a password.
func (c *reading) secret(t *table, required bool) Secret {
	return c.secretNamed(t, "password", required)
}

// secretNamed reads the three ways to give a secret: under its name, or with
// _file or _env after it. At most one may be used.
func (c *reading) secretNamed(t *table, name string, required bool) Secret {
	inFile, inEnv := name+"_file", name+"_env"
	s := Secret{
		key:  name,
		text: t.text(name, ""),
		file: c.path(t.text(inFile, "")),
		env:  t.text(inEnv, ""),
	}
	ways := 0
	for _, key := range []string{name, inFile, inEnv} {
		if !t.has(key) {
			continue
		}
		if ways++; ways == 2 {
			t.fault(key, "give only one of %s, %s and %s", name, inFile, inEnv)
		}
	}
	s.given = ways > 0
	switch {
	case ways == 0 && required:
		t.fault(name, "is missing: give %s, %s or %s", name, inFile, inEnv)
	case ways == 1:
		switch text, err := s.Reveal(); {
		case err != nil && s.file != "":
			t.fault(inFile, "%v", err)
		case err != nil:
			t.fault(inEnv, "the variable %s is not set", s.env)
		case text == "":
			t.fault(name, "is empty")
		}
	}
	return s
}
