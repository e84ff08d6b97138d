package snapshot

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestResources_OmitPrivateKeys checks that the snapshot of a proxy is complete, but has only names and versions of secrets.
func TestResources_OmitPrivateKeys(t *testing.T) {
	h, client, _ := newSyncedProxies(t)
	list, err := h.store.Resources(client.pod.ID)
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
	if !slices.IsSortedFunc(list, func(a, b ConfiguredResource) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	}) {
		t.Errorf("the resources are not sorted: %s", strings.Join(names, ", "))
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
		list, _ := h.store.Entries(ctx, entity.KindTrafficTarget, entity.KindHTTPRouteGroup)
		done <- list
	}()
	<-h.store.queue.wake
	h.run()
	var refs []entity.Ref
	for _, e := range <-done {
		refs = append(refs, e.Ref())
	}
	want := []entity.Ref{
		{Kind: entity.KindHTTPRouteGroup, Name: meshtest.Name("a", "routes")}, {Kind: entity.KindTrafficTarget, Name: meshtest.Name("a", "t")},
	}
	if !slices.Equal(refs, want) {
		t.Errorf("got %v", refs)
	}
	cancel()
	if _, err := h.store.Entries(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a stopped Store: %v", err)
	}
}

// TestResourceThatDoesNotDecode asks for the snapshot of a proxy with a name that no message can have.
func TestResourceThatDoesNotDecode(t *testing.T) {
	h, client, _ := newSyncedProxies(t)
	const name = "\xff"
	client.stream.scope.Load().own.contents[resourcetype.Clusters][name] = newContent(t, envoy.Resource{TypeURL: resourcetype.Clusters.URL(), Name: name, Message: &clusterv3.Cluster{}})
	if list, err := h.store.Resources(client.pod.ID); err == nil || list != nil {
		t.Errorf("%d resources are listed, with the error %v; want an error only", len(list), err)
	}
}

// TestProxiesAreListedFromTheStart lists a proxy whose epoch is not known, and one of two streams of a pod after the other has ended.
func TestProxiesAreListedFromTheStart(t *testing.T) {
	entries := twoServices()
	_, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	if got := h.store.Trust(); got.Bundle == nil {
		t.Error("a synced Store has no trust bundle")
	}
	first, err := h.tryConnect(peerOf(server))
	if err != nil {
		t.Fatal(err)
	}
	if got := h.store.Proxies(); len(got) != 1 || got[0].Pod != server.Name {
		t.Errorf("before its epoch is known, the proxies are %v, want the one of the server", got)
	}
	first.SetSoftware(status.Software{Epoch: 1})
	h.run()
	second := h.connectEpoch(t, server, 2)
	second.Close()
	h.run()
	if _, err := h.store.Resources(server.ID); err != nil {
		t.Errorf("after one of two streams has ended, the resources of the other one are not found: %v", err)
	}
}

// TestTrustBeforeTheSync asks a Store that has not read the mesh.
func TestTrustBeforeTheSync(t *testing.T) {
	if got := newHarness().store.Trust(); got.Bundle != nil {
		t.Errorf("the trust bundle is %q, want none", got.Bundle)
	}
}

// TestProxiesAreSorted lists the sidecars of 50 pods, in the order of their names.
func TestProxiesAreSorted(t *testing.T) {
	m := newSlowMesh(t)
	list := m.store.Proxies()
	if len(list) != len(m.accounts)+1 || !slices.IsSortedFunc(list, func(a, b status.Proxy) int { return a.Pod.Compare(b.Pod) }) {
		t.Errorf("%d proxies of %d pods are listed, and may not be sorted: %v", len(list), len(m.accounts)+1, list)
	}
}
