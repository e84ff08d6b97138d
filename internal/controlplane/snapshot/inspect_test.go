package snapshot

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestResources_OmitPrivateKeys checks that the snapshot of a proxy is complete, but has only names and versions of secrets.
func TestResources_OmitPrivateKeys(t *testing.T) {
	h, client, _ := newSyncedProxies(t)
	list, err := h.store.Resources(client.pod.UID)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range list {
		names = append(names, r.Type.String()+" "+r.Name)
		if (r.Resource == nil) != (r.Type == resourcetype.Secrets) {
			t.Errorf("%s %s: resource %v", r.Type, r.Name, r.Resource)
		}
		if r.Version == "" {
			t.Errorf("%s %s has no version", r.Type, r.Name)
		}
	}
	for _, want := range []string{"SDS service-cert", "CDS a/server|80", "EDS a/server|80", "RDS rds-outbound.80|a/server"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not in %s", want, strings.Join(names, ", "))
		}
	}
	if _, err := h.store.Resources("unknown"); !errors.Is(err, ErrNotConnected) {
		t.Errorf("unknown pod: %v", err)
	}
}

func TestEntries(t *testing.T) {
	h, _, _ := newSyncedProxies(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan []catalog.Entry, 1)
	go func() {
		list, _ := h.store.Entries(ctx, catalog.KindTrafficTarget, catalog.KindHTTPRouteGroup)
		done <- list
	}()
	<-h.store.queue.wake
	h.run()
	var refs []catalog.Ref
	for _, e := range <-done {
		refs = append(refs, e.Ref())
	}
	want := []catalog.Ref{
		{Kind: catalog.KindHTTPRouteGroup, Name: meshtest.Name("a", "routes")}, {Kind: catalog.KindTrafficTarget, Name: meshtest.Name("a", "t")},
	}
	if !slices.Equal(refs, want) {
		t.Errorf("got %v", refs)
	}
	cancel()
	if _, err := h.store.Entries(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a stopped Store: %v", err)
	}
}
