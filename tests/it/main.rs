//! The integration tests: most run the built binary against real servers and read what a pipeline would read.
