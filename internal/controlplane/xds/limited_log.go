package xds

import (
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
)

// Unauthenticated clients can cause log lines, so their rate is limited.
const (
	logInterval = time.Second
	logBurst    = 20
)

// limitedLog is a log with a rate limit.
type limitedLog struct {
	logger logr.Logger
	now    func() time.Time
	limit  *rate.Limiter
	// onDropped is called for each dropped line.
	onDropped func()
}

func newLimitedLog(logger logr.Logger, now func() time.Time, onDropped func()) *limitedLog {
	return &limitedLog{logger: logger, now: now, limit: rate.NewLimiter(rate.Every(logInterval), logBurst), onDropped: onDropped}
}

func (l *limitedLog) info(message string, keysAndValues ...any) {
	if !l.limit.AllowN(l.now(), 1) {
		l.onDropped()
		return
	}
	l.logger.Info(message, keysAndValues...)
}
