package bootstrap

import (
	"testing"
)

// TestConnectionsFitIntoTheMemory checks that all connections of a gateway fit into its memory, and that a small gateway still serves.
func TestConnectionsFitIntoTheMemory(t *testing.T) {
	for memory, want := range map[uint64]uint64{0: 20_000, 16 << 20: 1_000, 512 << 20: 8_192, 1 << 30: 16_384, 64 << 30: 20_000} {
		if got := (GatewayLimits{Memory: memory}).connections(); got != want {
			t.Errorf("with %d bytes a gateway accepts %d connections, want %d", memory, got, want)
		}
	}
}

// TestOnlyGatewaysHaveAnOverloadManager checks that sidecars do not close connections of applications, and that probes of gateways get through.
func TestOnlyGatewaysHaveAnOverloadManager(t *testing.T) {
	limits := GatewayLimits{Memory: 512 << 20, Listeners: []string{"gateway_80"}}
	sidecar := bootstrap(with(func(c *Config) { c.Limits = limits }))
	if sidecar.GetOverloadManager() != nil || sidecar.GetStaticResources().GetListeners()[0].GetBypassOverloadManager() {
		t.Error("a sidecar has an overload manager")
	}
	gateway := bootstrap(with(func(c *Config) { c.Gateway, c.Limits = true, limits }))
	if len(gateway.GetOverloadManager().GetActions()) == 0 {
		t.Error("a gateway has no overload actions")
	}
	ready := gateway.GetStaticResources().GetListeners()[0]
	if !ready.GetBypassOverloadManager() || !ready.GetIgnoreGlobalConnLimit() || !gateway.GetAdmin().GetIgnoreGlobalConnLimit() {
		t.Error("probes count as connections of clients")
	}
	limit := gateway.GetLayeredRuntime().GetLayers()[0].GetStaticLayer().GetFields()["envoy.resource_limits.listener.gateway_80.connection_limit"].GetNumberValue()
	if limit != 6_144 {
		t.Errorf("the listener accepts %v connections, want three quarters of all", limit)
	}
}
