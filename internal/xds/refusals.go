package xds

import (
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
)

// How many refusals are logged. Strangers cause them, so they could fill the log.
const (
	refusalsEvery = time.Second
	refusalsBurst = 20
)

// refusals logs why connections are refused, as long as there are few.
type refusals struct {
	logger   logr.Logger
	now      func() time.Time
	limit    *rate.Limiter
	unlogged func()
}

// newRefusals logs to a logger; unlogged is called for every refusal that is left out.
func newRefusals(logger logr.Logger, now func() time.Time, unlogged func()) *refusals {
	return &refusals{logger: logger, now: now, limit: rate.NewLimiter(rate.Every(refusalsEvery), refusalsBurst), unlogged: unlogged}
}

func (r *refusals) log(message string, pairs ...any) {
	if !r.limit.AllowN(r.now(), 1) {
		r.unlogged()
		return
	}
	r.logger.Info(message, pairs...)
}
