package main

import (
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
)

const policy = `package envoy.authz

default allow := false

allow if {
  input.attributes.source.principal == "spiffe://cluster.local/shop/till"
  input.attributes.request.http.method == "GET"
  startswith(input.attributes.request.http.path, "/public/")
  not input.attributes.request.http.headers["x-blocked"]
}
`

func TestCheck(t *testing.T) {
	engine, err := newEngine(t.Context(), policy)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		principal, path string
		headers         map[string]string
		allowed         bool
	}{
		"all conditions hold": {"spiffe://cluster.local/shop/till", "/public/a", nil, true},
		"another client":      {"spiffe://cluster.local/shop/thief", "/public/a", nil, false},
		"another path":        {"spiffe://cluster.local/shop/till", "/private", nil, false},
		"a header":            {"spiffe://cluster.local/shop/till", "/public/a", map[string]string{"x-blocked": "yes"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := engine.Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
				Source:  &authv3.AttributeContext_Peer{Principal: c.principal},
				Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{Method: "GET", Path: c.path, Headers: c.headers}},
			}})
			if err != nil || (got.GetStatus().GetCode() == 0) != c.allowed || c.allowed == (got.GetDeniedResponse().GetBody() == deniedText) {
				t.Errorf("the decision is %v, %v, want allowed %v", got, err, c.allowed)
			}
		})
	}
}

func TestInvalidPolicy(t *testing.T) {
	if _, err := newEngine(t.Context(), "package envoy.authz\nallow if"); err == nil {
		t.Error("an invalid policy is accepted")
	}
}
