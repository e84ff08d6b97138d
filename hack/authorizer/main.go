package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
)

func main() {
	address := flag.String("listen", ":9191", "address of the gRPC server")
	policy := flag.String("policy", "/policy/policy.rego", "Rego module with the package envoy.authz")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, *address, *policy); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address, policy string) error {
	module, err := os.ReadFile(policy)
	if err != nil {
		return fmt.Errorf("read the policy: %w", err)
	}
	engine, err := newEngine(ctx, string(module))
	if err != nil {
		return fmt.Errorf("%s: %w", policy, err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, engine)
	context.AfterFunc(ctx, server.GracefulStop)
	return server.Serve(listener)
}
