package logging

import (
	"github.com/go-logr/logr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	ctrlzap "sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// Logger writes JSON lines. Create it with New.
type Logger struct {
	logr.Logger
	level zap.AtomicLevel
}

// New returns a Logger at a level named as in MeshConfig's spec.observability.osmLogLevel.
func New(level string) *Logger {
	atomic := zap.NewAtomicLevelAt(parse(level))
	return &Logger{Logger: ctrlzap.New(ctrlzap.Level(&atomic), ctrlzap.JSONEncoder(isoTime)), level: atomic}
}

// isoTime encodes times in RFC 3339 form.
func isoTime(config *zapcore.EncoderConfig) { config.EncodeTime = zapcore.RFC3339NanoTimeEncoder }

// SetLevel changes the level.
func (l *Logger) SetLevel(level string) { l.level.SetLevel(parse(level)) }

// MoreVerbose returns the level that logs more.
func MoreVerbose(a, b string) string {
	if parse(b) < parse(a) {
		return b
	}
	return a
}

// parse parses OSM's names of levels. An unknown name means info, as in OSM: the zero level.
func parse(level string) zapcore.Level {
	return map[string]zapcore.Level{
		"trace": -2, "debug": zapcore.DebugLevel, "warn": zapcore.WarnLevel, "error": zapcore.ErrorLevel, "fatal": zapcore.FatalLevel,
		"panic": zapcore.PanicLevel, "disabled": zapcore.FatalLevel + 1,
	}[level]
}
