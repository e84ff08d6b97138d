package peering_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
)

func drawLabel(t *rapid.T) string {
	return rapid.StringMatching(`[a-z]([-a-z0-9]{0,8}[a-z0-9])?`).Draw(t, "label")
}

func drawAccounts(t *rapid.T) []peering.Account {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) peering.Account {
		return peering.Account{Namespace: drawLabel(t), Name: drawLabel(t)}
	}), 0, 5).Draw(t, "accounts")
}

func drawRecord(t *rapid.T) peering.Record {
	r := peering.Record{
		Format: peering.Format, Kind: peering.KindService, Namespace: drawLabel(t), Name: drawLabel(t), Issuer: "a.example", Audience: "b.example",
		Epoch: "1", Generation: rapid.Int64Range(1, 1<<60).Draw(t, "generation"), IssuedAt: 5, Service: &peering.Service{},
	}
	for _, number := range rapid.SliceOfNDistinct(rapid.Uint16Range(1, 65535), 1, 4, rapid.ID).Draw(t, "ports") {
		r.Service.Ports = append(r.Service.Ports, peering.Port{
			Number: number, Ready: rapid.Bool().Draw(t, "ready"), Servers: drawAccounts(t), Clients: drawAccounts(t),
		})
	}
	slices.SortFunc(r.Service.Ports, func(a, b peering.Port) int { return int(a.Number) - int(b.Number) })
	return r
}

func encode(t rapid.TB, r peering.Record) []byte {
	t.Helper()
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestRecordsAreReadAsWritten writes and reads random records, with fields of a later version.
func TestRecordsAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		data := encode(t, r)
		data = append(bytes.TrimSuffix(data, []byte("}")), `,"later":{"x":[1]}}`...)
		got, err := peering.Decode(data)
		if err != nil || string(encode(t, got)) != string(encode(t, r)) {
			t.Fatalf("error %v, got %+v, want %+v", err, got, r)
		}
	})
}

// TestPeerServiceKeepsWhatTheRecordSays compares entries of random records with the records.
func TestPeerServiceKeepsWhatTheRecordSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		s, err := r.PeerService("east")
		if err != nil {
			t.Fatal(err)
		}
		if s.Peer != "east" || s.Name.Namespace != r.Namespace || s.Name.Name != r.Name || len(s.Ports) != len(r.Service.Ports) {
			t.Fatalf("got %+v of %+v", s, r)
		}
		for i, port := range s.Ports {
			described := r.Service.Ports[i]
			if port.Number != described.Number || port.Ready != (described.Ready && len(described.Servers) > 0) {
				t.Fatalf("got %+v of %+v", port, described)
			}
			for _, account := range described.Servers {
				if !slices.Contains(port.Servers, identity.PeerAccount{Peer: "east", Namespace: account.Namespace, Name: account.Name}) {
					t.Fatalf("server %v is missing in %v", account, port.Servers)
				}
			}
			for _, account := range described.Clients {
				if !slices.Contains(port.Clients, identity.ServiceAccount(account)) {
					t.Fatalf("client %v is missing in %v", account, port.Clients)
				}
			}
			checkSorted(t, port)
		}
	})
}

func checkSorted(t *rapid.T, port catalog.PeerPort) {
	servers, clients := slices.Clone(port.Servers), slices.Clone(port.Clients)
	slices.SortFunc(servers, identity.PeerAccount.Compare)
	slices.SortFunc(clients, identity.ServiceAccount.Compare)
	if !slices.Equal(slices.Compact(servers), port.Servers) || !slices.Equal(slices.Compact(clients), port.Clients) {
		t.Fatalf("the lists are not sorted or have duplicates: %+v", port)
	}
}

func valid() peering.Record {
	return peering.Record{
		Format: 1, Kind: peering.KindService, Namespace: "shop", Name: "cart", Issuer: "a.example", Audience: "b.example", Epoch: "1", Generation: 7, IssuedAt: 9,
		Service: &peering.Service{Ports: []peering.Port{{Number: 80, Clients: []peering.Account{{"shop", "client"}}}, {Number: 81}}},
	}
}

func TestInvalidServicesAreRejected(t *testing.T) {
	accounts := func(n int) []peering.Account { return slices.Repeat([]peering.Account{{"shop", "client"}}, n) }
	for name, change := range map[string]func(*peering.Record){
		"another kind":            func(r *peering.Record) { r.Kind = peering.KindTrust },
		"no content":              func(r *peering.Record) { r.Service = nil },
		"a name of two":           func(r *peering.Record) { r.Name = "cart@east" },
		"a name with dots":        func(r *peering.Record) { r.Name = "a.b" },
		"no name":                 func(r *peering.Record) { r.Name = "" },
		"a namespace with a path": func(r *peering.Record) { r.Namespace = "../x" },
		"a long name":             func(r *peering.Record) { r.Name = strings.Repeat("a", 64) },
		"no port":                 func(r *peering.Record) { r.Service.Ports = nil },
		"port 0":                  func(r *peering.Record) { r.Service.Ports[0].Number = 0 },
		"a port twice":            func(r *peering.Record) { r.Service.Ports[1].Number = 80 },
		"unsorted ports":          func(r *peering.Record) { r.Service.Ports[1].Number = 8 },
		"many ports":              func(r *peering.Record) { r.Service.Ports = make([]peering.Port, peering.MaxPorts+1) },
		"many clients":            func(r *peering.Record) { r.Service.Ports[0].Clients = accounts(peering.MaxAccounts + 1) },
		"many servers":            func(r *peering.Record) { r.Service.Ports[0].Servers = accounts(peering.MaxAccounts + 1) },
		"an account of a peer":    func(r *peering.Record) { r.Service.Ports[0].Clients[0].Name = "east/client" },
		"a dot in a namespace":    func(r *peering.Record) { r.Service.Ports[0].Clients[0].Namespace = "a.b" },
		"a wildcard":              func(r *peering.Record) { r.Service.Ports[0].Clients[0].Name = "*" },
		"no account name":         func(r *peering.Record) { r.Service.Ports[0].Clients[0].Name = "" },
	} {
		r := valid()
		change(&r)
		if s, err := r.PeerService("east"); !errors.Is(err, peering.ErrInvalid) {
			t.Errorf("%s: got %+v, error %v", name, s, err)
		}
	}
	if _, err := valid().PeerService("east"); err != nil {
		t.Error(err)
	}
}

func TestInvalidEnvelopesAreRejected(t *testing.T) {
	for text, want := range map[string]error{
		``: peering.ErrInvalid, `[]`: peering.ErrInvalid, `{}`: peering.ErrInvalid,
		`{"format":2,"kind":["of","a","later","form"]}`:                                  peering.ErrFormat,
		`{"format":1,"generation":1}`:                                                    peering.ErrInvalid,
		`{"format":1,"epoch":"1","generation":-1}`:                                       peering.ErrInvalid,
		`{"format":1,"epoch":"1","generation":1,"service":{"ports":[{"number":65616}]}}`: peering.ErrInvalid,
		`{"format":1,"epoch":"` + strings.Repeat("1", 65) + `","generation":1}`:          peering.ErrInvalid,
	} {
		if r, err := peering.Decode([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%s: got %+v, error %v, want %v", text, r, err, want)
		}
	}
}

// TestVersions checks that replicas have the same digest for the same content, and another for each change.
func TestVersions(t *testing.T) {
	versionOf := func(change func(*peering.Record)) peering.Version {
		r := valid()
		change(&r)
		v, err := r.Version()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	base := versionOf(func(*peering.Record) {})
	if later := versionOf(func(r *peering.Record) { r.Generation, r.IssuedAt = 8, 10 }); later.Digest != base.Digest || later.Generation != 8 {
		t.Errorf("the same content has version %v, before %v", later, base)
	}
	for name, change := range map[string]func(*peering.Record){
		"readiness": func(r *peering.Record) { r.Service.Ports[0].Ready = true },
		"a client":  func(r *peering.Record) { r.Service.Ports[0].Clients[0].Name = "x" },
		"the epoch": func(r *peering.Record) { r.Epoch = "2" },
		"signer":    func(r *peering.Record) { r.Signer = "2" },
	} {
		if versionOf(change).Digest == base.Digest {
			t.Errorf("%s does not change the digest", name)
		}
	}
	if parsed, ok := peering.ParseVersion(base.String()); !ok || parsed != base {
		t.Errorf("parsed %v, want %v", parsed, base)
	}
	if _, ok := peering.ParseVersion("later"); ok {
		t.Error("any text is a version")
	}
}

func FuzzDecode(f *testing.F) {
	data, _ := json.Marshal(valid())
	f.Add(data)
	f.Add([]byte(`{"format":1,"kind":"trust","epoch":"1","generation":1,"trust":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := peering.Decode(data)
		if err != nil {
			return
		}
		s, err := r.PeerService("east")
		if err != nil {
			return
		}
		again, err := peering.Decode(encode(t, r))
		if err != nil {
			t.Fatal(err)
		}
		if same, err := again.PeerService("east"); err != nil || !reflect.DeepEqual(s, same) {
			t.Fatalf("read again: %+v, error %v, before %+v", same, err, s)
		}
	})
}
