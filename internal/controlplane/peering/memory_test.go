package peering

import (
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
)

// manyRecords returns a response with the largest number of Services, each with a port and ten accounts in each list.
func manyRecords(tb testing.TB, east *testMesh) []byte {
	tb.Helper()
	var accounts []peering.Account
	for i := range 10 {
		accounts = append(accounts, peering.Account{Namespace: "payments", Name: fmt.Sprintf("client-of-the-shop-%02d", i)})
	}
	from := newTestImporter(tb, east)
	for i := range peering.MaxServices {
		r := record(fmt.Sprintf("service-%03d", i), 5)
		r.Service.Ports[0].Servers, r.Service.Ports[0].Clients = accounts, accounts
		if _, err := from.receive(response(east.resource(r))); err != nil {
			tb.Fatal(err)
		}
	}
	trust := record("", 5)
	trust.Kind, trust.Namespace, trust.Service, trust.Trust = peering.KindTrust, "", nil, &peering.Trust{Bundle: string(east.manager.Root())}
	if result, err := from.receive(response(east.resource(trust))); err != nil || result.rejected != nil || from.services() != peering.MaxServices {
		tb.Fatalf("error %v, rejected %v, %d Services", err, result.rejected, from.services())
	}
	data, err := from.save()
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// newTestImporter returns an importer of the mesh west for a peer.
func newTestImporter(tb testing.TB, east *testMesh) *importer {
	tb.Helper()
	peers := newRegistry(time.Now)
	peers.set([]Peer{east.peer("east")})
	return newImporter(east.peer("east"), peers, func() []string { return []string{westDomain} }, time.Now)
}

// BenchmarkImports measures the memory for 200 imported Services, and the time to verify them.
func BenchmarkImports(b *testing.B) {
	east := newMesh(b, eastDomain)
	data := manyRecords(b, east)
	defer func() { b.ReportMetric(float64(len(data)), "stored-B") }()
	for b.Loop() {
		before := heap()
		into := newTestImporter(b, east)
		if _, err := into.load(data); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(heap()-before), "heap-B")
		if into.services() != peering.MaxServices {
			b.Fatalf("%d Services", into.services())
		}
	}
}

// TestMemoryOfImports checks the memory for 200 imported Services. It is about 1 MB.
func TestMemoryOfImports(t *testing.T) {
	east := newMesh(t, eastDomain)
	data := manyRecords(t, east)
	before := heap()
	into := newTestImporter(t, east)
	if _, err := into.load(data); err != nil {
		t.Fatal(err)
	}
	if used := int64(heap()) - int64(before); used > 10_000_000 || into.services() != peering.MaxServices {
		t.Errorf("%d Services need %d bytes", into.services(), used)
	}
}
