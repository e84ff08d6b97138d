package bootstrap

import (
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	overloadv3 "github.com/envoyproxy/go-control-plane/envoy/config/overload/v3"
	"google.golang.org/protobuf/types/known/durationpb"
)

// programBytes is what a sidecar needs besides its heap: stacks, and the pages of the program that it uses all the time.
const programBytes = 16 << 20

// sidecarAccountBits is the base-2 logarithm of the buffers from which a stream of a sidecar is one of those that are reset first. Those of connections
// are bounded to twice as much.
const sidecarAccountBits = 17

// LimitSidecar keeps a sidecar below the memory limit of its container, in bytes: the kernel would end it with all its connections. With 0 there is none,
// and the bootstrap is unchanged. Connections are rejected rather than left waiting, so clients try another pod at once.
func LimitSidecar(b *bootstrapv3.Bootstrap, memory uint64) {
	if memory == 0 {
		return
	}
	exemptProbes(b)
	b.OverloadManager = &overloadv3.OverloadManager{
		RefreshInterval:     durationpb.New(heapRefresh),
		ResourceMonitors:    []*overloadv3.ResourceMonitor{heap(sidecarHeap(memory))},
		BufferFactoryConfig: &overloadv3.BufferFactoryConfig{MinimumAccountToTrackPowerOfTwo: sidecarAccountBits},
		Actions: []*overloadv3.OverloadAction{
			shrinkHeap(0.85),
			action(resetStreams, scaled(0.85, 0.98)),
			action(disableKeepalive, threshold(0.92)),
			action("envoy.overload_actions.reject_incoming_connections", threshold(0.95)),
			action(stopRequests, threshold(0.98)),
		},
	}
}

// sidecarHeap is the part of a memory limit for the heap. A sidecar with little memory gets at least half of it.
func sidecarHeap(memory uint64) uint64 {
	return max(min(memory/100*heapPercent, memory-min(memory, programBytes)), memory/2)
}
