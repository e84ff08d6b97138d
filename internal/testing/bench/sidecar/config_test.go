package sidecar

import (
	"bytes"
	"net/netip"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
)

// Only variants with metrics of workloads have loggers of statistics.
func TestConfiguration(t *testing.T) {
	for _, v := range variants {
		address := netip.MustParseAddrPort("127.0.0.1:8080")
		config, err := v.configuration(address, address, address)
		if err != nil {
			t.Fatal(err)
		}
		text, err := protojson.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(text, []byte("access_loggers.stats")); got != v.labels {
			t.Errorf("%s: loggers of statistics: %v, want %v", v.name, got, v.labels)
		}
		if listeners := config.GetStaticResources().GetListeners(); len(listeners) != 1 {
			t.Errorf("%s has %d listeners, want 1", v.name, len(listeners))
		}
	}
}
