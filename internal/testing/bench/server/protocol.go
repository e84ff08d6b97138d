package server

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// Variant selects the measured control plane.
type Variant string

// The control planes.
const (
	// Ours is the snapshot Store behind the xDS server.
	Ours Variant = "ours"
	// Broadcast sends prepared bytes to prepared streams and reads the responses. It is the lower bound of the cost.
	Broadcast Variant = "broadcast"
	// CacheByScope is go-control-plane's SnapshotCache with one node for each identity.
	CacheByScope Variant = "cache, node a scope"
	// CacheByProxy is the same with one node for each sidecar.
	CacheByProxy Variant = "cache, node a proxy"
)

// Setup configures the process before it serves.
type Setup struct {
	Variant Variant
	Mode    mesh.Mode
	// Sidecars is the number of sidecars in the mesh, and Connected how many of them connect; 0 means all.
	Sidecars, Connected int
	// Addresses is true if each sidecar connects from an address of its own.
	Addresses bool `json:",omitempty"`
	// RootCert and RootKey are the authority of the mesh in PEM. They stay the same across restarts.
	RootCert, RootKey []byte
	// IssuerDelay is how long an external issuer takes to sign a certificate; 0 means that the control plane issues all certificates.
	IssuerDelay time.Duration `json:",omitempty"`
	// Keys is the JSON Web Key Set for tokens; Issuer and Audience are their required claims.
	Keys             []byte
	Issuer, Audience string
}

// ServerName is the DNS name in the process's certificate.
const ServerName = "ads." + mesh.TrustDomain

// RenewedLifetime is the lifetime of certificates after Renew.
const RenewedLifetime = 5 * time.Minute

// Task is the operation of a Command.
type Task string

// The tasks.
const (
	// Prepare computes the next change of a kind for the variants that need it.
	Prepare Task = "prepare"
	// Go applies the prepared change.
	Go Task = "go"
	// Renew makes all certificates due at once. Only this project's control plane renews any.
	Renew Task = "renew"
	// AwaitRequests waits until a number of requests has been read.
	AwaitRequests Task = "await-requests"
	// Weigh collects garbage and returns free memory to the system, to measure the memory in use. It writes a heap profile if a file
	// is given.
	Weigh Task = "weigh"
	// Profile starts a CPU profile into a file, or stops it without a file.
	Profile Task = "profile"
)

// Command is a line sent to the process after the Setup.
type Command struct {
	Task     Task
	Kind     mesh.Kind `json:",omitempty"`
	Requests int64     `json:",omitempty"`
	File     string    `json:",omitempty"`
}

// Answer is a line sent by the process. The first one, for the Setup, contains the Address.
type Answer struct {
	Error   string `json:",omitempty"`
	Address string `json:",omitempty"`
	// At is the time of the answer or, for Go, the start of the change, in nanoseconds since 1970.
	At int64
	// Renewed is the number of certificates renewed so far.
	Renewed int64 `json:",omitempty"`
	// CPU is the CPU time used so far in nanoseconds, and Mallocs the number of allocations.
	CPU     int64
	Mallocs uint64
	// Memory is the memory that the Go runtime obtained from the system in bytes.
	Memory uint64
}
