// Package intouch holds what stands at the top of the repository and is part
// of the program.
package intouch

import _ "embed"

// ConfigExample is config.example.toml: every key of the settings with its
// default and what it means.
//
//go:embed config.example.toml
var ConfigExample string
