package ingest

import (
	"net/netip"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

func TestServiceCIDR(t *testing.T) {
	entry := ServiceCIDR(read[networkingv1.ServiceCIDR](t, "spec: {cidrs: [10.96.0.1/16, 'fd00:96::/112', none]}"))
	expect(t, &catalog.ServiceCIDR{
		Name: "x", Ranges: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16"), netip.MustParsePrefix("fd00:96::/112")},
	}, entry, nil, nil)
}
