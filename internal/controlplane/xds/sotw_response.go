package xds

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// sotwResponse is a state-of-the-world discovery response.
type sotwResponse struct {
	kind      resourcetype.Type
	nonce     string
	resources []resource.Versioned
}

// newSotWResponse takes ownership of resources and sorts them.
func newSotWResponse(t resourcetype.Type, nonce string, resources []resource.Versioned) *sotwResponse {
	slices.SortFunc(resources, func(a, b resource.Versioned) int { return cmp.Compare(a.Name(), b.Name()) })
	return &sotwResponse{kind: t, nonce: nonce, resources: resources}
}

// version is equal for equal resources, in all replicas.
func (r *sotwResponse) version() string {
	const length = 8
	sum := sha256.New()
	for _, res := range r.resources {
		sum.Write([]byte(res.Name() + "\x00" + res.WireVersion() + "\x00"))
	}
	return hex.EncodeToString(sum.Sum(nil)[:length])
}

// Field numbers of envoy.service.discovery.v3.DiscoveryResponse. Its field resources has the same number and type as the field
// resource of a delta Resource, so resource.Content.EncodedAny is valid in both.
const (
	fieldVersionInfo = 1
	fieldTypeURL     = 4
	fieldNonce       = 5
)

// Encode implements encoder.
func (r *sotwResponse) Encode() [][]byte {
	var header []byte
	header = protowire.AppendString(protowire.AppendTag(header, fieldVersionInfo, protowire.BytesType), r.version())
	header = protowire.AppendString(protowire.AppendTag(header, fieldTypeURL, protowire.BytesType), r.kind.URL())
	header = protowire.AppendString(protowire.AppendTag(header, fieldNonce, protowire.BytesType), r.nonce)
	parts := [][]byte{header}
	for _, res := range r.resources {
		parts = append(parts, res.EncodedAny())
	}
	return parts
}
