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

// TestHeapsFitIntoTheMemory checks that a sidecar has room for its program.
func TestHeapsFitIntoTheMemory(t *testing.T) {
	for memory, want := range map[uint64]uint64{8 << 20: 4 << 20, 64 << 20: 48 << 20, 128 << 20: 112 << 20, 1000 << 20: 900 << 20} {
		if got := sidecarHeap(memory); got != want {
			t.Errorf("with %d bytes a sidecar has a heap of %d, want %d", memory, got, want)
		}
	}
}

// TestLimitedContainersHaveAnOverloadManager checks that a sidecar sheds load below its memory limit, and has no overload manager without one.
func TestLimitedContainersHaveAnOverloadManager(t *testing.T) {
	if free := bootstrap(with(func(*Config) {})); free.GetOverloadManager() != nil {
		t.Error("a sidecar without a memory limit has an overload manager")
	}
	sidecar := bootstrap(with(func(c *Config) { c.Memory = 128 << 20 }))
	if len(sidecar.GetOverloadManager().GetActions()) == 0 {
		t.Error("a sidecar with a memory limit has no overload actions")
	}
	for _, listener := range sidecar.GetStaticResources().GetListeners() {
		if !listener.GetBypassOverloadManager() {
			t.Errorf("probes at %s fail in a sidecar without memory", listener.GetName())
		}
	}
}

// TestProbesOfGatewaysGetThrough checks that a gateway limits its clients, and not the kubelet.
func TestProbesOfGatewaysGetThrough(t *testing.T) {
	limits := GatewayLimits{Memory: 512 << 20, Listeners: []string{"gateway_80"}}
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
