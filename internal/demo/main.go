package demo

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// Program is one program of the demo. It runs until ctx is done.
type Program func(ctx context.Context, args []string, getenv func(string) string, log *slog.Logger) error

// Main runs a program with the arguments, environment and signals of this process, and returns the exit code.
func Main(p Program) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stdout, nil))
	err := p(ctx, os.Args[1:], os.Getenv, log)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 2
	case err != nil:
		log.Error(err.Error())
		return 1
	}
	return 0
}
