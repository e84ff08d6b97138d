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
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/open-policy-agent/opa/v1/rego"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
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

// query is the rule that allows a request.
const query = "data.envoy.authz.allow"

// deniedText is the body of a denial.
const deniedText = "denied by the policy of the authorization server\n"

// engine decides about requests with a Rego policy.
type engine struct {
	authv3.UnimplementedAuthorizationServer

	prepared rego.PreparedEvalQuery
}

func newEngine(ctx context.Context, module string) (*engine, error) {
	prepared, err := rego.New(rego.Query(query), rego.Module("policy.rego", module)).PrepareForEval(ctx)
	return &engine{prepared: prepared}, err
}

// Check allows a request if the policy does. An undefined rule denies.
func (e *engine) Check(ctx context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	results, err := e.prepared.Eval(ctx, rego.EvalInput(input(r)))
	if err != nil {
		return nil, fmt.Errorf("evaluate the policy: %w", err)
	}
	if results.Allowed() {
		return &authv3.CheckResponse{Status: &status.Status{Code: int32(codes.OK)}}, nil
	}
	return &authv3.CheckResponse{
		Status: &status.Status{Code: int32(codes.PermissionDenied)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode_Forbidden}, Body: deniedText,
		}},
	}, nil
}

// input is the input document of a policy, in the form of OPA's Envoy plugin.
func input(r *authv3.CheckRequest) map[string]any {
	attributes := r.GetAttributes()
	request := attributes.GetRequest().GetHttp()
	headers := map[string]any{}
	for name, value := range request.GetHeaders() {
		headers[name] = value
	}
	return map[string]any{"attributes": map[string]any{
		"source":      map[string]any{"principal": attributes.GetSource().GetPrincipal()},
		"destination": map[string]any{"principal": attributes.GetDestination().GetPrincipal()},
		"request": map[string]any{"http": map[string]any{
			"method": request.GetMethod(), "path": request.GetPath(), "host": request.GetHost(), "headers": headers, "body": request.GetBody(),
		}},
	}}
}
