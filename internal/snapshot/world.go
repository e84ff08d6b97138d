package snapshot

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// World is a response in the state-of-the-world form: of clusters and listeners everything that the client asked for, of other
// types what has changed.
type World struct {
	Type      Type
	Nonce     string
	Resources []Resource
}

// NewWorld makes a World of resources in any order, which become its own.
func NewWorld(t Type, nonce string, resources []Resource) *World {
	slices.SortFunc(resources, func(a, b Resource) int { return cmp.Compare(a.name, b.name) })
	return &World{Type: t, Nonce: nonce, Resources: resources}
}

// Version is equal for equal resources, in all replicas.
func (w *World) Version() string {
	const length = 8
	sum := sha256.New()
	for _, res := range w.Resources {
		sum.Write([]byte(res.name + "\x00" + res.Version() + "\x00"))
	}
	return hex.EncodeToString(sum.Sum(nil)[:length])
}

// Field numbers of envoy.service.discovery.v3.DiscoveryResponse. Its resources have the number that a delta response's Resource
// gives to the Any inside it, so the tail of a content is one of them already.
const (
	fieldWorldVersion = 1
	fieldWorldTypeURL = 4
	fieldWorldNonce   = 5
)

// Encode is the response on the wire, as parts to be written one after the other. Parts may be shared and must not be modified.
func (w *World) Encode() [][]byte {
	var head []byte
	head = protowire.AppendString(protowire.AppendTag(head, fieldWorldVersion, protowire.BytesType), w.Version())
	head = protowire.AppendString(protowire.AppendTag(head, fieldWorldTypeURL, protowire.BytesType), w.Type.URL())
	head = protowire.AppendString(protowire.AppendTag(head, fieldWorldNonce, protowire.BytesType), w.Nonce)
	parts := [][]byte{head}
	for _, res := range w.Resources {
		name := protowire.SizeTag(fieldResourceName) + protowire.SizeBytes(len(res.name))
		parts = append(parts, res.body[name:])
	}
	return parts
}
