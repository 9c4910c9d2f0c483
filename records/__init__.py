"""What the API and the workers share: settings, the database, blobs, queue names and the states of a job."""
