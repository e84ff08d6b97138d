package datapath

import (
	"slices"
	"testing"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

// loggers selects access loggers of HTTP connections. Logs and statistics of workloads are access loggers.
type loggers func(*accesslogv3.AccessLog) bool

func allLoggers(*accesslogv3.AccessLog) bool { return true }
func noLoggers(*accesslogv3.AccessLog) bool  { return false }

// onlyText selects the log in text, without statistics.
func onlyText(logger *accesslogv3.AccessLog) bool { return logger.GetName() == "stdout" }

// keep removes the other loggers from the listeners among resources.
func (l loggers) keep(t testing.TB, resources []envoy.Resource) []envoy.Resource {
	t.Helper()
	for _, r := range resources {
		listener, ok := any(r.Message).(*listenerv3.Listener)
		if !ok {
			continue
		}
		for _, chain := range listener.GetFilterChains() {
			for _, filter := range chain.GetFilters() {
				l.keepIn(t, filter)
			}
		}
	}
	return resources
}

// keepIn removes the other loggers from a filter that handles HTTP.
func (l loggers) keepIn(t testing.TB, filter *listenerv3.Filter) {
	t.Helper()
	manager := &hcmv3.HttpConnectionManager{}
	if !filter.GetTypedConfig().MessageIs(manager) {
		return
	}
	if err := filter.GetTypedConfig().UnmarshalTo(manager); err != nil {
		t.Fatal(err)
	}
	manager.AccessLog = slices.DeleteFunc(manager.AccessLog, func(logger *accesslogv3.AccessLog) bool { return !l(logger) })
	config, err := anypb.New(manager)
	if err != nil {
		t.Fatal(err)
	}
	filter.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: config}
}
