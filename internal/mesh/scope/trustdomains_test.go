package scope_test

import (
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

func TestSetTrustDomains_OneNeedsNoLists(t *testing.T) {
	s := &scope.Scope{Common: scope.Common{ClientTrustDomains: []string{"a.example", "b.example"}}}
	s.SetTrustDomains(identity.OneTrustDomain("a.example"))
	if s.ClientTrustDomains != nil || s.ServerTrustDomains != nil || s.KnownTrustDomains != nil {
		t.Errorf("lists for one trust domain: %+v", s)
	}
	if got := s.AcceptedClientDomains(); !slices.Equal(got, []string{"a.example"}) {
		t.Errorf("accepted %v", got)
	}
}

// An IngressBackend that admits a workload of the mesh admits it in every accepted trust domain, also after the mesh has moved.
func TestAcceptedPrincipals(t *testing.T) {
	moving := identity.AcceptedTrustDomains("new.example", "old.example")
	moved := identity.OneTrustDomain("new.example")
	moved.Known = moving.Known
	for _, test := range []struct {
		name    string
		domains identity.TrustDomains
		want    []string
	}{
		{"web.shop.old.example", identity.OneTrustDomain("old.example"), []string{"web.shop.old.example"}},
		{"web.shop.old.example", moving, []string{"web.shop.old.example", "web.shop.new.example"}},
		{"web.shop.new.example", moving, []string{"web.shop.new.example", "web.shop.old.example"}},
		{"web.shop.old.example", moved, []string{"web.shop.old.example", "web.shop.new.example"}},
		{"web.shop.other.example", moving, []string{"web.shop.other.example"}},
		{"old.example", moving, []string{"old.example"}},
		{"web.old.example", moving, []string{"web.old.example"}},
		{"spiffe://old.example/web/shop", moving, []string{"spiffe://old.example/web/shop", "spiffe://new.example/web/shop"}},
		{"spiffe://other.example/web/shop", moving, []string{"spiffe://other.example/web/shop"}},
	} {
		s := &scope.Scope{}
		s.SetTrustDomains(test.domains)
		if got := s.AcceptedPrincipals(test.name); !slices.Equal(got, test.want) {
			t.Errorf("%s in %+v: got %v, want %v", test.name, test.domains, got, test.want)
		}
	}
}
