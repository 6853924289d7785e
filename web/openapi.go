package web

import (
	_ "embed"
	"net/http"

	"intouch/store"
)

// openAPI describes the API (OpenAPI 3.1). It is written by hand; a test holds
// it to the routes and bodies.
//
//go:embed openapi.json
var openAPI []byte

// describe gives the description to everybody: there is no secret in it.
func (a *api) describe(c *apiCall) error {
	return a.answer(c, store.Reply{Status: http.StatusOK, Body: openAPI})
}
