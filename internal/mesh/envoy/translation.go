package envoy

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/mesh/takeover"
)

// translation is a scope while its resources are made. It keeps what many of them contain.
type translation struct {
	*scope.Scope
	// loggers are other loggers than the standard ones, which each filter chain contains; nil until the first one needs them.
	loggers *loggers
}

func translationOf(s *scope.Scope) *translation {
	if s.Key.Class.OSM {
		s = takeover.Scope(s)
	}
	return &translation{Scope: s}
}

// logs returns the loggers of the proxy. They are made once: a scope can have thousands of filter chains.
func (s *translation) logs() *loggers {
	if s.Key.Class.OSM {
		return osmLoggers
	}
	if s.AccessLog == nil && s.UnloggedRequests == 0 {
		return standardLoggers
	}
	if s.loggers == nil {
		s.loggers = newLoggers(s.AccessLog, s.UnloggedRequests)
	}
	return s.loggers
}
