package snapshot

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestOffersHoldNoKeys lists what a sidecar should have: everything it holds, and of secrets nothing but names and versions.
func TestOffersHoldNoKeys(t *testing.T) {
	b, client, _ := traced(t)
	offers, err := b.store.Offers(client.pod.UID)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, offer := range offers {
		names = append(names, offer.Type.String()+" "+offer.Name)
		if (offer.Resource == nil) != (offer.Type == Secrets) {
			t.Errorf("%s %s: resource %v", offer.Type, offer.Name, offer.Resource)
		}
		if offer.Version == "" {
			t.Errorf("%s %s has no version", offer.Type, offer.Name)
		}
	}
	for _, want := range []string{"SDS service-cert:a/client", "CDS a/server|80", "EDS a/server|80", "RDS rds-outbound.80|a/server"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing among %s", want, strings.Join(names, ", "))
		}
	}
	if _, err := b.store.Offers("nobody"); !errors.Is(err, ErrNotConnected) {
		t.Errorf("of an unknown pod: %v", err)
	}
	if !b.store.Connected(client.pod.UID) || b.store.Connected("nobody") {
		t.Error("the wrong pods are connected")
	}
	client.close()
	if b.store.Connected(client.pod.UID) {
		t.Error("a sidecar that has left is connected")
	}
}

func TestEntries(t *testing.T) {
	b, _, _ := traced(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan []catalog.Entry, 1)
	go func() {
		list, _ := b.store.Entries(ctx, catalog.KindTrafficTarget, catalog.KindHTTPRouteGroup)
		done <- list
	}()
	<-b.store.queue.wake
	b.run()
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
	if _, err := b.store.Entries(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("of a Store that does not answer: %v", err)
	}
}
