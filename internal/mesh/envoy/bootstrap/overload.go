package bootstrap

import (
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	overloadv3 "github.com/envoyproxy/go-control-plane/envoy/config/overload/v3"
	connectionsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	heapv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/fixed_heap/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
)

// GatewayLimits are the limits of all clients of a gateway together. They keep Envoy below the memory limit of its container, because clients outside
// the mesh choose how many connections they open.
type GatewayLimits struct {
	// Memory is the memory limit of Envoy's container in bytes; 0 means that it has none.
	Memory uint64
	// Listeners are the names of the listeners for clients.
	Listeners []string
}

const (
	// connectionBytes is the memory for a connection: TLS, HTTP, and half-full buffers.
	connectionBytes = 64 << 10
	// minConnections and maxConnections bound the connections of a gateway, whatever its memory is.
	minConnections, maxConnections = 1_000, 20_000
	// heapPercent is the part of the memory limit for the heap. The rest is for stacks and code.
	heapPercent = 90
	// heapRefresh is how often the heap is measured.
	heapRefresh = 250 * time.Millisecond
	// keptFreeBytes is how much memory a shrunk heap keeps for what comes next.
	keptFreeBytes = 4 << 20
	// streamAccountBits is the base-2 logarithm of the buffers from which a stream is one of those that are reset first.
	streamAccountBits = 20
)

// Names of extensions of Envoy.
const (
	heapMonitor       = "envoy.resource_monitors.fixed_heap"
	connectionMonitor = "envoy.resource_monitors.global_downstream_max_connections"
	resetStreams      = "envoy.overload_actions.reset_high_memory_stream"
	disableKeepalive  = "envoy.overload_actions.disable_http_keepalive"
	stopRequests      = "envoy.overload_actions.stop_accepting_requests"
)

// connections returns how many connections a gateway accepts.
func (l GatewayLimits) connections() uint64 {
	if l.Memory == 0 {
		return maxConnections
	}
	return min(max(l.Memory/connectionBytes, minConnections), maxConnections)
}

// LimitGateway adds the limits of a gateway to a bootstrap. The kubelet, and the drain container, connect in spite of them.
func LimitGateway(b *bootstrapv3.Bootstrap, l GatewayLimits) {
	b.OverloadManager = overloadManager(l)
	b.GetAdmin().IgnoreGlobalConnLimit = true
	exemptProbes(b)
	fields := b.GetLayeredRuntime().GetLayers()[0].GetStaticLayer().GetFields()
	for _, name := range l.Listeners {
		// A flood of one listener leaves a quarter of all connections to the others.
		fields["envoy.resource_limits.listener."+name+".connection_limit"] = structpb.NewNumberValue(float64(l.connections() / 4 * 3))
	}
	// A client that resets its requests at once waits for those of others.
	fields["http.max_requests_per_io_cycle"] = structpb.NewNumberValue(1)
}

// exemptProbes lets the kubelet through at each limit.
func exemptProbes(b *bootstrapv3.Bootstrap) {
	for _, listener := range b.GetStaticResources().GetListeners() {
		listener.IgnoreGlobalConnLimit, listener.BypassOverloadManager = true, true
	}
}

// overloadManager limits connections, and the heap if there is a memory limit: timeouts become shorter, then the largest requests are reset,
// then no connections and requests are accepted.
func overloadManager(l GatewayLimits) *overloadv3.OverloadManager {
	m := &overloadv3.OverloadManager{
		RefreshInterval: durationpb.New(heapRefresh),
		ResourceMonitors: []*overloadv3.ResourceMonitor{
			monitor(connectionMonitor, &connectionsv3.DownstreamConnectionsConfig{MaxActiveDownstreamConnections: int64(l.connections())}),
		},
	}
	if l.Memory == 0 {
		return m
	}
	m.ResourceMonitors = append(m.ResourceMonitors, heap(l.Memory/100*heapPercent))
	m.BufferFactoryConfig = &overloadv3.BufferFactoryConfig{MinimumAccountToTrackPowerOfTwo: streamAccountBits}
	reduce := action("envoy.overload_actions.reduce_timeouts", scaled(0.75, 0.95))
	reduce.TypedConfig = message.Any(shorterTimeouts())
	m.Actions = []*overloadv3.OverloadAction{
		reduce,
		shrinkHeap(0.85),
		action(resetStreams, scaled(0.85, 0.98)),
		action(disableKeepalive, threshold(0.92)),
		action("envoy.overload_actions.stop_accepting_connections", threshold(0.95)),
		action(stopRequests, threshold(0.98)),
	}
	return m
}

// shorterTimeouts are the timeouts of a gateway without memory.
func shorterTimeouts() *overloadv3.ScaleTimersOverloadActionConfig {
	timer := func(kind overloadv3.ScaleTimersOverloadActionConfig_TimerType, least time.Duration) *overloadv3.ScaleTimersOverloadActionConfig_ScaleTimer {
		return &overloadv3.ScaleTimersOverloadActionConfig_ScaleTimer{
			Timer: kind, OverloadAdjust: &overloadv3.ScaleTimersOverloadActionConfig_ScaleTimer_MinTimeout{MinTimeout: durationpb.New(least)},
		}
	}
	return &overloadv3.ScaleTimersOverloadActionConfig{TimerScaleFactors: []*overloadv3.ScaleTimersOverloadActionConfig_ScaleTimer{
		timer(overloadv3.ScaleTimersOverloadActionConfig_HTTP_DOWNSTREAM_CONNECTION_IDLE, 2*time.Second),
		timer(overloadv3.ScaleTimersOverloadActionConfig_HTTP_DOWNSTREAM_STREAM_IDLE, 10*time.Second),
		timer(overloadv3.ScaleTimersOverloadActionConfig_TRANSPORT_SOCKET_CONNECT, 2*time.Second),
	}}
}

// heap compares the heap with the bytes that it may have.
func heap(bytes uint64) *overloadv3.ResourceMonitor {
	return monitor(heapMonitor, &heapv3.FixedHeapConfig{MaxHeapSizeBytes: bytes})
}

// shrinkHeap returns memory that the heap does not use. Envoy would do so every ten seconds, and keep 100 MiB, which is more than a container may have.
func shrinkHeap(from float64) *overloadv3.OverloadAction {
	out := action("envoy.overload_actions.shrink_heap", threshold(from))
	out.TypedConfig = message.Any(&overloadv3.ShrinkHeapConfig{
		TimerInterval: durationpb.New(time.Second), MaxUnfreedMemoryBytes: wrapperspb.UInt64(keptFreeBytes),
	})
	return out
}

func monitor(name string, config proto.Message) *overloadv3.ResourceMonitor {
	return &overloadv3.ResourceMonitor{Name: name, ConfigType: &overloadv3.ResourceMonitor_TypedConfig{TypedConfig: message.Any(config)}}
}

func action(name string, trigger *overloadv3.Trigger) *overloadv3.OverloadAction {
	return &overloadv3.OverloadAction{Name: name, Triggers: []*overloadv3.Trigger{trigger}}
}

func threshold(value float64) *overloadv3.Trigger {
	return &overloadv3.Trigger{Name: heapMonitor, TriggerOneof: &overloadv3.Trigger_Threshold{Threshold: &overloadv3.ThresholdTrigger{Value: value}}}
}

func scaled(from, to float64) *overloadv3.Trigger {
	return &overloadv3.Trigger{Name: heapMonitor, TriggerOneof: &overloadv3.Trigger_Scaled{Scaled: &overloadv3.ScaledTrigger{
		ScalingThreshold:    from,
		SaturationThreshold: to,
	}}}
}
