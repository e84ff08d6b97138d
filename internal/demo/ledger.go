package demo

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"
)

// OpenDatabase returns a pool of connections to MySQL. The first query opens a connection. The timeout applies to connecting
// and to each read and write.
func OpenDatabase(d Database, timeout time.Duration) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.DBName = d.User, d.Password, d.Name
	config.Net, config.Addr = "tcp", d.Addr
	config.Timeout, config.ReadTimeout, config.WriteTimeout = timeout, timeout, timeout
	// The driver also returns the errors that it would log.
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("the settings for the database at %s are not usable: %w", d.Addr, err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(5)
	db.SetMaxIdleConns(2)
	return db, nil
}

// Statements for the table of restocks. Creating it is idempotent, so its existence is not tracked.
const (
	createRestocks = `CREATE TABLE IF NOT EXISTS restocks (
		id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
		identity VARCHAR(63) NOT NULL,
		books INT NOT NULL,
		at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)`
	insertRestock = `INSERT INTO restocks (identity, books) VALUES (?, ?)`
	sumRestocks   = `SELECT COALESCE(SUM(books), 0) FROM restocks`
)

// SQLLedger is a Ledger in a MySQL table.
type SQLLedger struct {
	db *sql.DB
}

// NewSQLLedger returns a ledger in db. The first write creates its table.
func NewSQLLedger(db *sql.DB) *SQLLedger {
	return &SQLLedger{db: db}
}

// Restock adds a row and returns the sum of all rows.
func (l *SQLLedger) Restock(ctx context.Context, identity string, n int) (int, error) {
	if _, err := l.db.ExecContext(ctx, createRestocks); err != nil {
		return 0, fmt.Errorf("cannot create the table of restocks: %w", err)
	}
	if _, err := l.db.ExecContext(ctx, insertRestock, identity, n); err != nil {
		return 0, fmt.Errorf("cannot write a restock: %w", err)
	}
	var total int
	if err := l.db.QueryRowContext(ctx, sumRestocks).Scan(&total); err != nil {
		return 0, fmt.Errorf("cannot add up the restocks: %w", err)
	}
	return total, nil
}
