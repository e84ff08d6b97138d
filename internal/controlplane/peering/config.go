package peering

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Mirror is the mesh as views. mirror.Mirror implements it.
type Mirror interface {
	Read(object entity.Ref, read func(*catalog.View))
	Forget(object entity.Ref)
	Watch(kind entity.Kind, notify func(context.Context, entity.Name))
}

// Config configures a Peering. All fields are required.
type Config struct {
	// Certificates are those of this control plane.
	Certificates Certificates
	// Domains returns the trust domains of this mesh.
	Domains func() identity.TrustDomains
	// Bundle returns the roots of this mesh as PEM, and Authority identifies the one that issues certificates now.
	Bundle    func() []byte
	Authority func() string
	// Version is that of this control plane.
	Version string
	// Epoch changes when the state of the cluster is restored or made anew.
	Epoch string
	// Address is the host and port through which connections to peers leave the mesh.
	Address string
	Mirror  Mirror
	Storage Storage
	// Apply receives changes of the Services of peers. It must not block.
	Apply   func([]catalog.Change)
	Log     logr.Logger
	Metrics prometheus.Registerer
	Now     func() time.Time
	// Jitter returns random numbers in [0, 1) that spread the attempts to connect.
	Jitter func() float64

	// New sets the following fields.

	log    *limitedLog
	timing timing
}

// timing are the times after which something happens.
type timing struct {
	// answer is how long a peer may take for its first response, and to read a request.
	answer time.Duration
	// ack is how long a client may take for its first request, and to answer a response.
	ack time.Duration
	// pending is how long a connection may have no stream.
	pending time.Duration
	// accept is how long a root of a peer must be trusted until the records for the peer list it.
	accept time.Duration
	// save is the minimum time between two writes to the storage.
	save time.Duration
	// firstBackoff and maxBackoff are the times between two attempts to connect, without jitter. Each is twice the one before.
	firstBackoff, maxBackoff time.Duration
}

func defaultTiming() timing {
	return timing{
		answer: 15 * time.Second, ack: 30 * time.Second, pending: 10 * time.Second, accept: time.Minute, save: 10 * time.Second,
		firstBackoff: time.Second, maxBackoff: 30 * time.Second,
	}
}

// Peers can cause log lines, so their rate is limited.
const (
	logInterval = time.Second
	logBurst    = 20
)

// limitedLog is a log with a rate limit.
type limitedLog struct {
	logger logr.Logger
	now    func() time.Time
	limit  *rate.Limiter
}

func newLimitedLog(logger logr.Logger, now func() time.Time) *limitedLog {
	return &limitedLog{logger: logger, now: now, limit: rate.NewLimiter(rate.Every(logInterval), logBurst)}
}

func (l *limitedLog) info(message string, keysAndValues ...any) {
	if l.limit.AllowN(l.now(), 1) {
		l.logger.Info(message, keysAndValues...)
	}
}
