package peering_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// recorded returns the record of a file. Files are what releases with Format 1 send: they must never change.
func recorded(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "format1", name))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(data)
}

// TestRecordsOfReleasesAreRead reads what earlier releases send, and writes it again without a change.
func TestRecordsOfReleasesAreRead(t *testing.T) {
	service, err := peering.Decode(recorded(t, "service.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := service.PeerService("east")
	want := &catalog.PeerService{Peer: "east", Name: meshtest.Name("shop", "cart"), Ports: []catalog.PeerPort{
		{Number: 80, Ready: true, Servers: []identity.PeerAccount{{Peer: "east", Namespace: "shop", Name: "cart"}}, Clients: []identity.ServiceAccount{{Namespace: "web", Name: "client"}}},
		{Number: 9000, Clients: []identity.ServiceAccount{{Namespace: "web", Name: "client"}}},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	trust, err := peering.Decode(recorded(t, "trust.json"))
	if err != nil || trust.Kind != peering.KindTrust || trust.Trust == nil || trust.Trust.Bundle != "roots" || trust.Trust.Version != "v0.6.0" || trust.Audience != "west.example" {
		t.Errorf("got %+v, %v", trust, err)
	}
	for name, record := range map[string]peering.Record{"service.json": service, "trust.json": trust} {
		if encoded, err := record.Encode(); err != nil || string(encoded) != string(recorded(t, name)) {
			t.Errorf("%s is written as %s, %v", name, encoded, err)
		}
	}
}

// TestFieldsOfLaterReleasesAreIgnored adds a field to each object of a record, one after the other.
func TestFieldsOfLaterReleasesAreIgnored(t *testing.T) {
	data := string(recorded(t, "service.json"))
	plain, err := peering.Decode([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	objects := 0
	for i := range data {
		if data[i] != '{' {
			continue
		}
		objects++
		later := data[:i+1] + `"later":{"ports":[{"number":7}]},` + data[i+1:]
		if !json.Valid([]byte(later)) {
			t.Fatalf("%s is no JSON", later)
		}
		if got, err := peering.Decode([]byte(later)); err != nil || !reflect.DeepEqual(got, plain) {
			t.Errorf("%s is read as %+v, %v", later, got, err)
		}
	}
	if want := strings.Count(data, "{"); objects != want || want < 6 {
		t.Errorf("%d of %d objects were extended", objects, want)
	}
}
