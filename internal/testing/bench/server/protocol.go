package server

import "github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"

// Variant is which control plane is measured.
type Variant string

// The control planes.
const (
	// Ours is the snapshot Store behind the xDS server.
	Ours Variant = "ours"
	// Broadcast sends prepared bytes to prepared streams and reads what comes back: no control plane costs less.
	Broadcast Variant = "broadcast"
	// CacheByScope is go-control-plane's SnapshotCache with one node for each identity.
	CacheByScope Variant = "cache, node a scope"
	// CacheByProxy is the same with one node for each sidecar.
	CacheByProxy Variant = "cache, node a proxy"
	// Bare has the same connections and streams, reads requests and answers none: what gRPC and TLS hold for each sidecar.
	Bare Variant = "connections alone"
)

// Setup is what the process needs before it serves.
type Setup struct {
	Variant Variant
	Mode    mesh.Mode
	// Sidecars is how many the mesh has, and Connected how many of them connect; 0 means all.
	Sidecars, Connected int
	// RootCert and RootKey are the authority of the mesh in PEM: the same before and after a restart.
	RootCert, RootKey []byte
	// Keys is the JSON Web Key Set that tokens are verified with, Issuer and Audience what they must name.
	Keys             []byte
	Issuer, Audience string
}

// ServerName is in the certificate of the process.
const ServerName = "ads." + mesh.TrustDomain

// Task is what a Command asks for.
type Task string

// The tasks.
const (
	// Prepare works out the next change of a kind, as far as others than ours need it worked out.
	Prepare Task = "prepare"
	// Go makes the prepared change.
	Go Task = "go"
	// Settle waits until a number of requests has been read.
	Settle Task = "settle"
	// Weigh collects garbage and gives memory back to the system, so that what is left is what is held. It writes a
	// heap profile into a file if one is named.
	Weigh Task = "weigh"
	// Profile starts a CPU profile into a file, or ends it when no file is named.
	Profile Task = "profile"
)

// Command is one line to the process, after the Setup.
type Command struct {
	Task     Task
	Kind     mesh.Kind `json:",omitempty"`
	Requests int64     `json:",omitempty"`
	File     string    `json:",omitempty"`
}

// Answer is one line from the process. The first one, to the Setup, has the Address.
type Answer struct {
	Error   string `json:",omitempty"`
	Address string `json:",omitempty"`
	// At is when the answer was ready; with Go, when the change began. Nanoseconds since 1970.
	At int64
	// CPU is the processor time used so far, in nanoseconds, and Mallocs the number of allocations.
	CPU     int64
	Mallocs uint64
	// Memory is what the Go runtime holds of the system, in bytes; Resident what the system says.
	Memory, Resident uint64
}
