package demo

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// Settings holds the configuration of a program of the demo.
type Settings struct {
	// App is the program's name, such as "bookbuyer".
	App string
	// Identity is the value of the response header Identity (IDENTITY, default the program's name).
	Identity string
	// Port is the port to listen on (-port, default 14001).
	Port int
	// KeepAlive makes clients reuse connections (-keepalive, default true).
	KeepAlive bool
	// Timeout is the timeout of one request (-timeout, default 3 s).
	Timeout time.Duration
	// Linger is how long a server continues to serve after a signal to stop (-linger, default 5 s).
	Linger time.Duration
	// Pace is the time between requests of one client loop (CI_SLEEP_BETWEEN_REQUESTS_SECONDS, default 1; fractions
	// are allowed).
	Pace time.Duration
	// Concurrency is the number of client loops (CI_CLIENT_CONCURRENT_CONNECTIONS, default 1).
	Concurrency int
	// Bookstore is the base URL of the bookstore (-bookstore; BOOKSTORE_SVC and BOOKSTORE_NAMESPACE make the default).
	Bookstore string
	// Warehouse is the base URL of the bookwarehouse (-warehouse; WAREHOUSE_SVC and BOOKWAREHOUSE_NAMESPACE).
	Warehouse string
	// Database configures the bookwarehouse's connection to MySQL.
	Database Database
	// Goal is the goal of a client's requests, for the test result in its log.
	Goal Goal
}

// Database configures a connection to MySQL.
type Database struct {
	// Addr is host:port (-database, or MYSQL_HOST with port 3306, default mysql.bookwarehouse).
	Addr string
	// User, Password and Name are MYSQL_USER, MYSQL_PASSWORD and MYSQL_DATABASE.
	User, Password, Name string
}

// Goal defines when a client's test succeeds or fails.
type Goal struct {
	// Expected is the outcome that counts as success: "200" for the buyer; for the thief the variable
	// BOOKTHIEF_EXPECTED_RESPONSE_CODE, where 0 means any failure without a status code.
	Expected string
	// MinSuccess is the required number of expected outcomes (CI_MIN_SUCCESS_THRESHOLD, default 1).
	MinSuccess int
	// MaxRequests ends the client's requests (CI_MAX_ITERATIONS_THRESHOLD, default 0 for unlimited).
	MaxRequests int
}

// ParseSettings parses flags and environment variables. The variables are those of the Open Service Mesh demo.
func ParseSettings(app string, args []string, getenv func(string) string) (Settings, error) {
	env := environment{getenv: getenv}
	s := Settings{
		App:         app,
		Identity:    env.text("IDENTITY", app),
		Pace:        env.seconds("CI_SLEEP_BETWEEN_REQUESTS_SECONDS", time.Second),
		Concurrency: env.number("CI_CLIENT_CONCURRENT_CONNECTIONS", 1),
		Goal: Goal{
			Expected:    "200",
			MinSuccess:  env.number("CI_MIN_SUCCESS_THRESHOLD", 1),
			MaxRequests: env.number("CI_MAX_ITERATIONS_THRESHOLD", 0),
		},
		Database: Database{
			User:     env.text("MYSQL_USER", "root"),
			Password: env.text("MYSQL_PASSWORD", ""),
			Name:     env.text("MYSQL_DATABASE", "booksdemo"),
		},
	}
	if app == "bookthief" {
		s.Goal.Expected = env.text("BOOKTHIEF_EXPECTED_RESPONSE_CODE", "0")
	}
	flags := flag.NewFlagSet(app, flag.ContinueOnError)
	flags.IntVar(&s.Port, "port", Port, "port to listen on")
	flags.BoolVar(&s.KeepAlive, "keepalive", true, "reuse connections between requests")
	flags.DurationVar(&s.Timeout, "timeout", 3*time.Second, "timeout of one request")
	flags.DurationVar(&s.Linger, "linger", 5*time.Second, "time to continue serving after a signal to stop")
	flags.StringVar(&s.Bookstore, "bookstore", env.service("BOOKSTORE_SVC", "bookstore", "BOOKSTORE_NAMESPACE", "bookstore"), "base URL of the bookstore")
	flags.StringVar(&s.Warehouse, "warehouse", env.service("WAREHOUSE_SVC", "bookwarehouse", "BOOKWAREHOUSE_NAMESPACE", "bookwarehouse"),
		"base URL of the bookwarehouse")
	flags.StringVar(&s.Database.Addr, "database", env.text("MYSQL_HOST", "mysql.bookwarehouse")+":3306", "host and port of MySQL")
	if err := flags.Parse(args); err != nil {
		return Settings{}, err
	}
	return s, env.err
}

// environment reads variables with defaults and keeps the first error.
type environment struct {
	getenv func(string) string
	err    error
}

func (e *environment) text(name, fallback string) string {
	if v := e.getenv(name); v != "" {
		return v
	}
	return fallback
}

func (e *environment) number(name string, fallback int) int {
	v := e.getenv(name)
	if v == "" {
		return fallback
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		e.fail(name, v, "a whole number of at least 0")
		return fallback
	}
	return n
}

func (e *environment) seconds(name string, fallback time.Duration) time.Duration {
	v := e.getenv(name)
	if v == "" {
		return fallback
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || n < 0 || n > math.MaxInt32 {
		e.fail(name, v, "a number of seconds")
		return fallback
	}
	return time.Duration(n * float64(time.Second))
}

// service returns the base URL of a Service of the demo, from the variables for its name and namespace.
func (e *environment) service(nameVar, name, namespaceVar, namespace string) string {
	return fmt.Sprintf("http://%s.%s:%d", e.text(nameVar, name), e.text(namespaceVar, namespace), Port)
}

func (e *environment) fail(name, value, want string) {
	if e.err == nil {
		e.err = fmt.Errorf("the environment variable %s is %q; it must be %s", name, value, want)
	}
}

// drainTimeout limits requests that are still running when the listener closes.
const drainTimeout = 5 * time.Second

// Serve listens on the settings' port, on IPv4 and IPv6, until ctx is done. Readiness then fails at once, but serving
// continues for the linger time, because clients receive the removal of the endpoint with a delay. Finally it drains running requests.
func Serve(ctx context.Context, s Settings, web *Web, log *slog.Logger) error {
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", s.Port))
	if err != nil {
		return fmt.Errorf("cannot listen on port %d: %w", s.Port, err)
	}
	log.Info("serving", "app", s.App, "identity", s.Identity, "address", listener.Addr().String())
	return serveOn(ctx, listener, s.Linger, web, log)
}

func serveOn(ctx context.Context, listener net.Listener, linger time.Duration, web *Web, log *slog.Logger) error {
	server := &http.Server{Handler: web, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("the server failed: %w", err)
	case <-ctx.Done():
	}
	log.Info("stopping: not ready, still serving", "for", linger)
	web.Stopping()
	timer := time.NewTimer(linger)
	defer timer.Stop()
	select {
	case err := <-failed:
		return fmt.Errorf("the server failed while it was stopping: %w", err)
	case <-timer.C:
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return fmt.Errorf("requests were still running %s after the listener closed: %w", drainTimeout, err)
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	log.Info("stopped")
	return nil
}

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

// Port is the port of every program of the demo.
const Port = 14001

// Paths of the requests between programs. Policies refer to them.
const (
	// PathBooksBought returns the number of books sold (GET).
	PathBooksBought = "/books-bought"
	// PathBuyBook sells one book (GET, as in the Open Service Mesh demo).
	PathBuyBook = "/buy-a-book/new"
	// PathUpdateBooksBought sets the number of books sold (POST, with the number in the header Booksbought).
	PathUpdateBooksBought = "/update-books-bought"
	// PathRestock restocks the number of books in the body (POST).
	PathRestock = "/restock-books"
)

// Headers of the requests and responses between programs.
const (
	// HeaderIdentity is the response header with the version of the server.
	HeaderIdentity = "Identity"
	// HeaderBooksBought carries the number of books sold.
	HeaderBooksBought = "Booksbought"
	// HeaderClientApp is the request header with the name of the client program. Policies match it.
	HeaderClientApp = "client-app"
	// HeaderUserAgent is the standard request header. Policies match it as userAgent.
	HeaderUserAgent = "user-agent"
)

// userAgent matches the expression ".*-http-client/*.*" of the policies.
const userAgent = "Go-http-client/1.1"
