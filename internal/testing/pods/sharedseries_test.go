package pods_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

var countedStatus = regexp.MustCompile(`(?m)^envoy_osm_request_total\{.*grpc_status="([^"]*)"`)

// TestStatusesAreBoundedWhereServersShareLimits has a server that answers with more statuses than gRPC defines. All hosts of the port share the limits of the
// client's counters, so the others would lose theirs.
func TestStatusesAreBoundedWhereServersShareLimits(t *testing.T) {
	t.Parallel()
	for version, binary := range envoytest.Binaries(t) {
		t.Run(version, func(t *testing.T) { testSharedStatuses(t, binary) })
	}
}

func testSharedStatuses(t *testing.T, binary string) {
	t.Parallel()
	const port = 8090
	n := pods.NewNetwork(t)
	n.Run(t, binary)
	a := newAbroadIn(t, n)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", r.URL.Query().Get("status"))
	})}
	t.Cleanup(func() { _ = server.Close() })
	for _, address := range a.named.Addresses() {
		listener := a.named.NS.Listen(t, nstest.Address(address.String(), port))
		go func() { _ = server.Serve(listener) }()
	}
	a.configure(t, false, authz.EgressPort{Number: port, Hosts: []authz.EgressHost{{Host: "api.example.com", HTTP: true}}})
	for _, status := range []string{"0", "14", "16", "17", "99", "100", "1234567", "4294967296", "many"} {
		url := fmt.Sprintf("http://%s/?status=%s", nstest.Address(a.named.IP.String(), port), status)
		if answer := a.client.Get(t, url, "Host: api.example.com", "Content-Type: application/grpc"); answer.Header.Get("Grpc-Status") != status {
			t.Fatalf("the answer is %v, want the status %s", answer, status)
		}
	}
	if answer := a.client.Get(t, "http://"+nstest.Address(a.named.IP.String(), port), "Host: api.example.com"); answer.Status != http.StatusOK {
		t.Fatal(answer)
	}
	var counted []string
	want := []string{"", "-1", "0", "14", "16"}
	eventually.True(t, 10*time.Second, "all requests are counted", func() bool {
		counted = nil
		for _, found := range countedStatus.FindAllStringSubmatch(a.client.Admin(t, "/stats/prometheus"), -1) {
			counted = append(counted, found[1])
		}
		slices.Sort(counted)
		return len(counted) >= len(want)
	})
	if !slices.Equal(counted, want) {
		t.Errorf("the statuses are %q, want %q", counted, want)
	}
}
