package upstream

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// TestServiceElsewhere checks which hosts are the DNS name of a Service, of any namespace.
func TestServiceElsewhere(t *testing.T) {
	for host, named := range map[string]bool{
		"web.bank.svc": true, "web.bank.svc.cluster.local": true, "web.bank.svc.example.com": false, "web.bank.svc.cluster.local.com": false,
		"web.bank.pod": false, ".bank.svc": false, "web..svc": false, "web.bank": false, "web": false,
	} {
		want := entity.Name{}
		if named {
			want = entity.Name{Namespace: "bank", Name: "web"}
		}
		if got, ok := serviceElsewhere(host); got != want || ok != named {
			t.Errorf("%s is the Service %s, %t, want %s, %t", host, got, ok, want, named)
		}
	}
}
