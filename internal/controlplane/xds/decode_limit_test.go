package xds

import (
	"bytes"
	"fmt"
	"testing"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	loadstats "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/osm-operator/internal/controlplane/decodelimit"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
)

// TestMessagesOfManyPartsAreRejected decodes messages whose parts use much more memory than their encoding.
func TestMessagesOfManyPartsAreRejected(t *testing.T) {
	emptyParts := func(tag byte) []byte { return bytes.Repeat([]byte{tag, 0}, maxRequestBytes/2) }
	clusterStats := emptyParts(2<<3 | 2) // field 2 of LoadStatsRequest
	if err := (codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(clusterStats)}, &loadstats.LoadStatsRequest{}); err == nil {
		t.Error("a load report of two million empty clusters was decoded")
	}
}

// TestMessagesOfSidecarsAreDecoded decodes the largest messages that sidecars send.
func TestMessagesOfSidecarsAreDecoded(t *testing.T) {
	versions := map[string]string{}
	for n := range delta.MaxNames {
		versions[fmt.Sprintf("n/s%d|80", n)] = "0123456789abcdef"
	}
	report := &loadstats.LoadStatsRequest{}
	for n := range 5_000 {
		report.ClusterStats = append(report.ClusterStats, loadReport(fmt.Sprintf("n/s%d|80", n), 1, 1).GetClusterStats()...)
		report.ClusterStats = append(report.ClusterStats, &endpoint.ClusterStats{
			ClusterName: fmt.Sprintf("n/idle%d|80", n), LoadReportInterval: report.GetClusterStats()[0].GetLoadReportInterval(),
		})
	}
	node := &core.Node{Id: "id", Metadata: &structpb.Struct{Fields: map[string]*structpb.Value{"k": structpb.NewBoolValue(true)}}}
	for n := range 500 {
		node.Extensions = append(node.Extensions, &core.Extension{Name: fmt.Sprintf("envoy.filters.%d", n), Category: "filters", TypeUrls: []string{"type"}})
	}
	for name, m := range map[string]proto.Message{
		"versions":    &discovery.DeltaDiscoveryRequest{InitialResourceVersions: versions},
		"load report": report,
		"node":        &discovery.DeltaDiscoveryRequest{Node: node},
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := decodelimit.Check(m.ProtoReflect().Descriptor(), data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
